import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import type { Steps } from '../steps/pump.ts'

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
