import cleanOrphanedAssets from './clean_orphaned_assets.ts'
import runSchedule from './run_schedule.ts'
import runSteps from './run_steps.ts'
import sweepTemplateUploads from './sweep_template_uploads.ts'

/** Every task of the worker, under the name by which SQL enqueues it. */
export const tasks = {
  clean_orphaned_assets: cleanOrphanedAssets,
  run_schedule: runSchedule,
  run_steps: runSteps,
  sweep_template_uploads: sweepTemplateUploads,
}
