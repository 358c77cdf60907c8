import cleanOrphanedAssets from './clean_orphaned_assets.ts'
import removeDeletedFiles from './remove_deleted_files.ts'
import removeDeletedMedia from './remove_deleted_media.ts'
import removeOldUploads from './remove_old_uploads.ts'
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

/** The tasks that need the buckets of users' files. */
export const storageTasks = {
  remove_deleted_files: removeDeletedFiles,
  remove_old_uploads: removeOldUploads,
}

/** The tasks of a worker with `WORKER_TYPES`: only the wake-ups of its pump, because other tasks need the stores. */
export const poolTasks = {
  run_steps: runSteps,
}
