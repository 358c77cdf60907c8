import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import { deleteObjects } from './delete_objects.ts'
import type { StorageDeps } from './deps.ts'

const batchSize = 20
/** The task stops after this many claims whose objects cannot be deleted, because the store is probably down. */
const failuresMax = 3

/** A claim to delete all objects of a bucket whose keys have a prefix. */
type Claimed = { id: string; claim_id: string; bucket: 'user_uploads' | 'generations'; prefix: string }

/**
 * Deletes the images of deleted generations and of lost attempts, and the folders of deleted users, that are due: first the
 * objects, then the record. Safe to repeat, and several jobs share the work. A claim that is not confirmed is due again after
 * 10 minutes.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, deps: TaskContext<StorageDeps>) {
    const { db, logger, signal } = deps
    let confirmed = 0
    let objects = 0
    const failures: unknown[] = []
    let claimed: Claimed[]
    do {
      claimed = await db.call<Claimed>('worker.claim_deleted_files', { limit: batchSize })
      const claims: Pick<Claimed, 'id' | 'bucket' | 'claim_id'>[] = []
      for (const one of claimed) {
        if (signal.aborted || failures.length === failuresMax) break
        try {
          objects += await removeObjects(one, deps)
          claims.push({ id: one.id, bucket: one.bucket, claim_id: one.claim_id })
        } catch (error) {
          failures.push(error)
        }
      }
      if (claims.length > 0) {
        await db.call('worker.confirm_deleted_files', { claims: JSON.stringify(claims) })
        confirmed += claims.length
      }
    } while (claimed.length > 0 && failures.length < failuresMax && !signal.aborted)

    if (confirmed > 0) logger.info({ claims: confirmed, objects }, 'Deleted files of users were removed')
    if (failures.length > 0) {
      throw new Error(`${failures.length} deleted files or folders could not be removed`, { cause: failures[0] })
    }
    if (signal.aborted) throw new Error('Removing deleted files was interrupted because the worker is stopping')
  },
})

/** Deletes the objects with a prefix, page by page, and returns how many. */
async function removeObjects({ bucket, prefix }: Claimed, { buckets, signal }: TaskContext<StorageDeps>) {
  let count = 0
  const store = buckets[bucket]
  for await (const page of store.list(prefix, signal)) {
    const { deleted, failure } = await deleteObjects(
      store,
      page.map(({ key }) => key),
      signal,
    )
    count += deleted.size
    if (failure) throw failure
    signal.throwIfAborted()
  }
  return count
}
