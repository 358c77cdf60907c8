import runTask from './run_task.ts'

/** The handlers of agent tasks, by job type. */
export const taskHandlers = {
  run_task: runTask,
}
