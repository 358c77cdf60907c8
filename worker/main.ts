import { handlers } from './handlers/index.ts'
import { studioHandlers } from './handlers/studio/index.ts'
import { startWorker } from './start_worker.ts'
import { poolTasks, storageTasks, tasks } from './tasks/index.ts'

await startWorker({ handlers, tasks, poolTasks, storageTypes: Object.keys(studioHandlers), storageTasks })
