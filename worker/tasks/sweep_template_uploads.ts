import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import type { Deps } from './deps.ts'

const batchSize = 100
const lanes = 4

/**
 * Deletes the objects that no version of a template has, of broken publications and of drafts, from the store first and
 * then from the database. Safe to repeat; what could not be deleted fails the job at its end, and comes again.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { db, templateStore, logger, signal }: TaskContext<Deps>) {
    if (templateStore === undefined) {
      throw new Error('No store of templates is configured: set TEMPLATES_STORE_ENDPOINT and its keys')
    }
    /** Asks just before: a worker that slept meanwhile would delete what has been published since. */
    const confirm = async (storage_path: string, claim_id: string) => {
      const args = { storage_path, claim_id }
      const [row] = await db.call<{ confirm_template_claim: boolean }>('worker.confirm_template_claim', args)
      return row?.confirm_template_claim ?? false
    }
    let deleted = 0
    for (let size = batchSize; size === batchSize; ) {
      signal.throwIfAborted()
      const claimed = await db.call<{ storage_path: string; claim_id: string }>('worker.claim_template_uploads', {
        limit: batchSize,
      })
      size = claimed.length
      const gone: string[] = []
      const failures: unknown[] = []
      const rest = claimed.values()
      const lane = async () => {
        for (const { storage_path, claim_id } of rest) {
          try {
            if (!(await confirm(storage_path, claim_id))) continue
            await templateStore.delete(storage_path, signal)
            gone.push(storage_path)
          } catch (error) {
            failures.push(error)
          }
        }
      }
      await Promise.all(Array.from({ length: lanes }, lane))
      const claimId = claimed[0]?.claim_id
      if (gone.length > 0) await db.call('worker.forget_template_uploads', { storage_paths: gone, claim_id: claimId })
      deleted += gone.length
      if (failures.length > 0) {
        throw new Error(`${failures.length} objects of broken publications could not be deleted`, {
          cause: failures[0],
        })
      }
    }
    if (deleted > 0) logger.info({ deleted }, 'Objects of broken publications were deleted')
  },
})
