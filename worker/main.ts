import { handlers } from './handlers/index.ts'
import { startWorker } from './start_worker.ts'
import { poolTasks, tasks } from './tasks/index.ts'

await startWorker({ handlers, tasks, poolTasks })
