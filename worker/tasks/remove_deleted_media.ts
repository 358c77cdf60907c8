import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import type { StoredObject } from '../shared/object_store.ts'
import { deleteObjects } from './delete_objects.ts'
import type { Deps } from './deps.ts'

const batchSize = 10
/** After so many dramas whose objects cannot be deleted, the store is probably down, so the task stops. */
const failuresMax = 3
const dayMs = 86_400_000
const prefix = 'drama-assets/'

type Claimed = { drama_id: string; claim_id: string; prefix: string }
type Found = { object_key: string }

/**
 * `deleted_dramas` deletes the images and videos of deleted dramas that are due: first the objects, then the record.
 *
 * `unknown_objects` searches the store for up to `limit` images and videos that no drama has and logs their number; with
 * `remove` it deletes them.
 *
 * Safe to repeat, and several jobs share the work. A claim that is not confirmed is due again after 10 minutes.
 */
export default defineTask({
  payload: z.object({
    mode: z.enum(['deleted_dramas', 'unknown_objects']),
    limit: z.int().min(1).max(1_000_000).default(1000),
    remove: z.boolean().default(false),
  }),
  async run({ mode, limit, remove }, deps: TaskContext<Deps>) {
    if (mode === 'deleted_dramas') await removeDeleted(deps)
    else await findUnknown(limit, remove, deps)
  },
})

async function removeDeleted(deps: TaskContext<Deps>): Promise<void> {
  const { db, logger, signal } = deps
  let dramas = 0
  let objects = 0
  const failures: unknown[] = []
  let size = batchSize
  while (size === batchSize && failures.length < failuresMax && !signal.aborted) {
    const claimed = await db.call<Claimed>('worker.claim_deleted_media', { limit: batchSize })
    size = claimed.length
    for (const one of claimed) {
      if (signal.aborted || failures.length === failuresMax) break
      try {
        objects += await removeObjects(one, deps)
        const { drama_id, claim_id } = one
        await db.call('worker.confirm_media_removal', { drama_id, claim_id })
        dramas += 1
      } catch (error) {
        failures.push(error)
      }
    }
  }

  if (objects > 0) logger.info({ dramas, objects }, 'Media of deleted dramas were deleted')
  if (failures.length > 0) {
    throw new Error(`The media of ${failures.length} deleted dramas could not be deleted`, { cause: failures[0] })
  }
  if (signal.aborted) throw new Error('Deleting media was interrupted because the worker is stopping')
}

/** Deletes the objects of one drama, page by page, and returns how many. */
async function removeObjects(
  { drama_id, claim_id, prefix }: Claimed,
  { store, db, signal }: TaskContext<Deps>,
): Promise<number> {
  let count = 0
  for await (const page of store.list(prefix, signal)) {
    if (page.length === 0) continue
    const objects = JSON.stringify(page.map(({ key, modifiedAt }) => ({ key, modified_at: modifiedAt })))
    const found = await db.call<Found>('worker.list_removable_media', { drama_id, claim_id, objects })
    const { deleted, failure } = await deleteObjects(
      store,
      found.map(({ object_key }) => object_key),
      signal,
    )
    count += deleted.size
    if (failure) throw failure
    signal.throwIfAborted()
  }
  return count
}

async function findUnknown(
  limit: number,
  remove: boolean,
  { store, db, logger, signal }: TaskContext<Deps>,
): Promise<void> {
  // A step may store its file hours before it completes, because its worker waits for the database.
  const isOld = ({ modifiedAt }: StoredObject) => Date.now() - modifiedAt.getTime() > dayMs
  const unknown: string[] = []
  let listed = 0
  let deleted = 0
  let failure: Error | undefined
  for await (const page of store.list(prefix, signal)) {
    listed += page.length
    const keys = page.filter(isOld).map(({ key }) => key)
    const rows = await db.call<Found>('worker.find_unknown_media', { keys })
    const found = rows.map(({ object_key }) => object_key).slice(0, limit - unknown.length)
    unknown.push(...found)
    if (remove) {
      // Page by page, because a drama may have got a file of an early page before the last page is listed.
      const result = await deleteObjects(store, found, signal)
      deleted += result.deleted.size
      failure = result.failure
    }
    if (unknown.length === limit || failure || signal.aborted) break
  }

  const facts = { listed, unknown: unknown.length, limit, examples: unknown.slice(0, 10) }
  logger[unknown.length > 0 ? 'warn' : 'info'](facts, 'Media in the store were compared with the dramas')
  if (deleted > 0) logger.info({ deleted }, 'Unknown media were deleted')
  if (failure) {
    const rest = unknown.length - deleted
    throw new Error(`${rest} of ${unknown.length} unknown media could not be deleted`, { cause: failure })
  }
  if (remove && signal.aborted) throw new Error('Deleting unknown media was interrupted because the worker is stopping')
}
