import { handlers } from './handlers/index.ts'
import { startWorker } from './start_worker.ts'

await startWorker(handlers)
