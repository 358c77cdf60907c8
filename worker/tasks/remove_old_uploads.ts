import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import { deleteObjects } from './delete_objects.ts'
import type { StorageDeps } from './deps.ts'

const batchSize = 500
/** After so many parts of the bucket with photos that cannot be deleted, the store is probably down, so the task stops. */
const failuresMax = 3

/** The old photos among some photos in a row, and the name of the last photo looked at; null after the last one of all. */
type Found = { names: string[]; next: string | null }

/**
 * Deletes the photos that users uploaded longer ago than `upload_retention`. The database names them, a part of the bucket at
 * a time. Safe to repeat. Photos that cannot be deleted fail the job at its end, so it runs again.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { db, buckets, logger, signal }: TaskContext<StorageDeps>) {
    let removed = 0
    const failures: Error[] = []
    let after: string | null = ''
    while (after !== null && !signal.aborted) {
      const [found]: Found[] = await db.call<Found>('worker.list_old_uploads', { after, limit: batchSize })
      const { deleted, failure } = await deleteObjects(buckets.user_uploads, found?.names ?? [], signal)
      removed += deleted.size
      if (failure) failures.push(failure)
      after = failures.length < failuresMax ? (found?.next ?? null) : null
    }
    if (removed > 0) logger.info({ removed }, 'Old uploads were deleted')
    if (failures.length > 0) {
      throw new Error(`Old uploads could not be deleted; ${removed} were`, { cause: failures[0] })
    }
    if (signal.aborted) throw new Error('Deleting old uploads was interrupted because the worker is stopping')
  },
})
