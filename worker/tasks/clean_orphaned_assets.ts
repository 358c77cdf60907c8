import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import { deleteObjects } from './delete_objects.ts'
import type { Deps } from './deps.ts'

const batchSize = 100
/** While batches are full, each deletes twice as many objects at once as the one before: up to 20. */
const mostAtOnce = 20
const hourMs = 3_600_000
const prefix = 'shared-assets/'

type Claimed = { id: string; object_key: string }

/**
 * `orphans` deletes up to `limit` assets that nothing shows: first the object, then the row.
 *
 * `unknown_objects` searches the store for up to `limit` objects without a row and logs their number; with `remove` it
 * deletes them.
 *
 * Safe to repeat, and several jobs share the work. Objects that cannot be deleted fail the job at its end, so it runs again.
 */
export default defineTask({
  payload: z.object({
    mode: z.enum(['orphans', 'unknown_objects']),
    limit: z.int().min(1).max(1_000_000).default(1000),
    remove: z.boolean().default(false),
  }),
  async run({ mode, limit, remove }, deps: TaskContext<Deps>) {
    if (mode === 'orphans') await removeOrphans(limit, deps)
    else await findUnknown(limit, remove, deps)
  },
})

async function removeOrphans(limit: number, { store, db, logger, signal }: TaskContext<Deps>): Promise<void> {
  let looked: number
  do {
    const [row] = await db.call<{ mark_orphaned_assets: number }>('worker.mark_orphaned_assets', { limit: batchSize })
    looked = row?.mark_orphaned_assets ?? 0
  } while (looked === batchSize && !signal.aborted)

  let claimed = 0
  let forgotten = 0
  let atOnce = 10
  let failure: Error | undefined
  while (claimed < limit && !failure && !signal.aborted) {
    const size = Math.min(batchSize, limit - claimed)
    const batch = await db.call<Claimed>('worker.claim_orphaned_assets', { limit: size })
    claimed += batch.length
    const outcome = await deleteObjects(
      store,
      batch.map(({ object_key }) => object_key),
      signal,
      atOnce,
    )
    atOnce = Math.min(2 * atOnce, mostAtOnce)
    failure = outcome.failure
    const ids = batch.filter(({ object_key }) => outcome.deleted.has(object_key)).map(({ id }) => id)
    if (ids.length > 0) {
      const [row] = await db.call<{ forget_assets: number }>('worker.forget_assets', { ids })
      forgotten += row?.forget_assets ?? 0
    }
    if (batch.length < size) break
  }

  if (claimed > 0) logger.info({ claimed, forgotten }, 'Orphaned assets were deleted')
  if (failure) throw new Error(`${claimed - forgotten} of ${claimed} orphans could not be deleted`, { cause: failure })
  if (signal.aborted) throw new Error('Deleting orphans was interrupted because the worker is stopping')
}

async function findUnknown(
  limit: number,
  remove: boolean,
  { store, db, logger, signal }: TaskContext<Deps>,
): Promise<void> {
  const unknown: string[] = []
  let listed = 0
  for await (const page of store.list(prefix, signal)) {
    listed += page.length
    // An upload writes its row before its object; one hour is a margin that costs nothing. Nothing depends on the margin, so
    // the clocks of the store and of this host may differ.
    const keys = page.filter(({ modifiedAt }) => Date.now() - modifiedAt.getTime() > hourMs).map(({ key }) => key)
    const found = await db.call<{ object_key: string }>('worker.find_unknown_objects', { keys })
    unknown.push(...found.map(({ object_key }) => object_key).slice(0, limit - unknown.length))
    if (unknown.length === limit) break
  }

  const facts = { listed, unknown: unknown.length, limit, examples: unknown.slice(0, 10) }
  logger[unknown.length > 0 ? 'warn' : 'info'](facts, 'Store was compared with the database')
  if (!remove) return

  const { deleted, failure } = await deleteObjects(store, unknown, signal)
  if (deleted.size > 0) logger.info({ deleted: deleted.size }, 'Unknown objects were deleted')
  if (failure) {
    const rest = unknown.length - deleted.size
    throw new Error(`${rest} of ${unknown.length} unknown objects could not be deleted`, { cause: failure })
  }
  if (signal.aborted) throw new Error('Deleting unknown objects was interrupted because the worker is stopping')
}
