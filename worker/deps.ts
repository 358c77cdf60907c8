import type { Logger } from 'pino'
import type { Store } from './adapters/spaces.ts'
import type { Db } from './db.ts'
import type { Steps } from './steps.ts'

/** What a task is given. */
export type Deps = {
  db: Db
  /** Where assets are. */
  store: Store
  /** Where published templates are; undefined where none is configured. */
  templateStore: Store | undefined
  /** The steps of runs, as this process runs them. */
  steps: Steps
  /** Carries the task's name and the job's id. */
  logger: Logger
  /** Aborts when the worker stops: end, or throw, within 2 s. A job that throws runs again. */
  signal: AbortSignal
}
