import { z } from 'zod'
import { defineTask } from '../define_task.ts'

const batchSize = 100

/**
 * Deletes the objects that broken publications of templates have left, from the store first and then from the database.
 * Safe to repeat; what could not be deleted fails the job at its end, and comes again.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { db, templateStore, logger, signal }) {
    if (templateStore === undefined) {
      throw new Error('No store of templates is configured: set TEMPLATES_STORE_ENDPOINT and its keys')
    }
    let deleted = 0
    for (let size = batchSize; size === batchSize; ) {
      signal.throwIfAborted()
      const claimed = await db.call<{ storage_path: string }>('worker.claim_template_uploads', { limit: batchSize })
      size = claimed.length
      const paths = claimed.map(({ storage_path }) => storage_path)
      const outcomes = await Promise.allSettled(paths.map((path) => templateStore.delete(path, signal)))
      const gone = paths.filter((_path, index) => outcomes[index]?.status === 'fulfilled')
      if (gone.length > 0) await db.call('worker.forget_template_uploads', { storage_paths: gone })
      deleted += gone.length
      const failed = outcomes.find((one) => one.status === 'rejected')
      if (failed) {
        const left = size - gone.length
        throw new Error(`${left} objects of broken publications could not be deleted`, { cause: failed.reason })
      }
    }
    if (deleted > 0) logger.info({ deleted }, 'Objects of broken publications were deleted')
  },
})
