import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import { inParallel } from '../shared/in_parallel.ts'
import type { Deps } from './deps.ts'

const batchSize = 100
const deletesAtOnce = 4

/**
 * Deletes objects of failed publications and of deleted drafts that no version of a template uses: first the object, then
 * the row. Safe to repeat. Objects that cannot be deleted fail the job at its end, so it runs again.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { db, templateStore, logger, signal }: TaskContext<Deps>) {
    if (templateStore === undefined) {
      throw new Error('No template store is configured. Set TEMPLATES_STORE_ENDPOINT and its keys.')
    }
    /** Checks the claim just before a delete, because a worker that was suspended may have lost it to a publication. */
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
      await inParallel(claimed, deletesAtOnce, undefined, async ({ storage_path, claim_id }) => {
        try {
          if (!(await confirm(storage_path, claim_id))) return
          await templateStore.delete(storage_path, signal)
          gone.push(storage_path)
        } catch (error) {
          failures.push(error)
        }
      })
      const claimId = claimed[0]?.claim_id
      if (gone.length > 0) await db.call('worker.forget_template_uploads', { storage_paths: gone, claim_id: claimId })
      deleted += gone.length
      if (failures.length > 0) {
        throw new Error(`${failures.length} objects of failed publications could not be deleted`, {
          cause: failures[0],
        })
      }
    }
    if (deleted > 0) logger.info({ deleted }, 'Objects of failed publications were deleted')
  },
})
