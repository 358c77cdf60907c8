import { startWorker } from '../../worker/start_worker.ts'
import { poolTasks, tasks } from '../../worker/tasks/index.ts'
import { testHandlers } from './handlers.ts'

// A worker process like worker/main.ts, with handlers for tests.
await startWorker({ handlers: testHandlers, tasks, poolTasks })
