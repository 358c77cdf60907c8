import { startWorker } from '../../worker/start_worker.ts'
import { poolTasks, tasks } from '../../worker/tasks/index.ts'
import { testHandlers } from './handlers.ts'
import { poisonTask } from './poison.ts'

// A worker process like worker/main.ts, with handlers for tests. An argument says for how many milliseconds a handler may
// ignore its signal.
const [ignoredMaxMs] = process.argv.slice(2)
await startWorker({
  handlers: testHandlers,
  tasks: { ...tasks, poison: poisonTask },
  poolTasks,
  ...(ignoredMaxMs !== undefined && { ignoredMaxMs: Number(ignoredMaxMs) }),
})
