import { dramaHandlers } from './dramas/index.ts'
import { paymentHandlers } from './payments/index.ts'
import { studioHandlers } from './studio/index.ts'
import { taskHandlers } from './tasks/index.ts'

/** Each job type that this worker runs, by its name in `job_types`. A product adds its own list here. */
export const handlers = {
  ...dramaHandlers,
  ...taskHandlers,
  ...paymentHandlers,
  ...studioHandlers,
}
