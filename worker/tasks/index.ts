import cleanOrphanedAssets from './clean_orphaned_assets.ts'
import removeDeletedMedia from './remove_deleted_media.ts'
import runSchedule from './run_schedule.ts'
import runSteps from './run_steps.ts'
import sweepTemplateUploads from './sweep_template_uploads.ts'

/** Each task of the worker, by the name that SQL enqueues. */
export const tasks = {
  clean_orphaned_assets: cleanOrphanedAssets,
  remove_deleted_media: removeDeletedMedia,
  run_schedule: runSchedule,
  run_steps: runSteps,
  sweep_template_uploads: sweepTemplateUploads,
}

/** The tasks of a worker with `WORKER_TYPES`: only the wake-ups of its pump, because other tasks need the stores. */
export const poolTasks = {
  run_steps: runSteps,
}
