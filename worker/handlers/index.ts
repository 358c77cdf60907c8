import type { Handler } from '../define_handler.ts'

/** Every job type that this worker can run, under its name in `job_types`. */
export const handlers: Record<string, Handler> = {}
