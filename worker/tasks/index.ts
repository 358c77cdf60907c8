import runSchedule from './run_schedule.ts'

/** Every task of the worker, under the name by which SQL enqueues it. */
export const tasks = {
  run_schedule: runSchedule,
}
