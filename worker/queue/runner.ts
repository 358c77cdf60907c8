import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Runner,
  Logger as RunnerLogger,
  run,
  type TaskList,
  type WorkerEvents,
  type WorkerPool,
} from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import type { Steps } from '../steps/pump.ts'
import { tasks } from '../tasks/index.ts'
import { makePatient } from './patient_pool.ts'
import { followSchedules } from './schedules.ts'

const firstDelayMs = 250
const longestDelayMs = 5000

/** graphile-worker, kept running. */
export type Queue = {
  start(): void
  /** Why no job can be taken at the moment; undefined when all is well. */
  trouble(): string | undefined
  /** Takes no more jobs, aborts the signal of those that run, and hands back what has not ended 2.5 s later: then it throws. */
  stop(): Promise<void>
}

/**
 * Runs graphile-worker, and starts it again with growing pauses when it cannot start (no Postgres yet, or one that is
 * not migrated) or ends. Through a restart of Postgres it stays up and jobs go on (see patient_pool.ts); it ends when
 * a connection broke just as it took a job or wrote down the end of one.
 */
export function createQueue(options: {
  pool: pg.Pool
  db: Db
  store: Store
  templateStore: Store | undefined
  logger: Logger
  steps: Steps
  concurrency: number
}): Queue {
  const { pool, db, store, templateStore, logger, steps, concurrency } = options
  const services = { db, store, templateStore, logger, steps }
  const taskList: TaskList = Object.fromEntries(Object.entries(tasks).map(([name, bind]) => [name, bind(services)]))
  const stopping = new AbortController()
  let runner: Runner | undefined
  let workers: WorkerPool | undefined
  let trouble: string | undefined = 'The queue has not started.'
  let ended: Promise<void> = Promise.resolve()

  async function runOnce(): Promise<void> {
    // What an earlier runner could not write down stays locked for four hours; such a job runs again now.
    if (workers) await db.call('graphile_worker.force_unlock_workers', { worker_ids: [workers.id] })
    const schedules = await followSchedules(db, logger)
    try {
      const events = watch()
      // It shuts down after such an error, but may wait for ever when a second one follows.
      const broken = once(events, 'pool:fatalError').then(() => pause(longestDelayMs))
      runner = await run({
        pgPool: makePatient(pool, logger, stopping.signal),
        schema: 'graphile_worker',
        concurrency,
        taskList,
        parsedCronItems: schedules.items,
        events,
        logger: bridge(logger),
        noHandleSignals: true,
        noPreparedStatements: false,
        gracefulShutdownAbortTimeout: 0,
        // Without these, the connection that breaks just as a job's end is written down is an unhandled rejection, and
        // the process ends. With them 0.18 does not retry either (its issue 636), but it tells us and shuts down.
        preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      })
      if (stopping.signal.aborted) await runner.stop()
      await Promise.race([runner.promise, broken])
    } finally {
      schedules.stop()
      runner = undefined
    }
  }

  /** Ends early when the worker stops. */
  function pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})
  }

  function watch(): WorkerEvents {
    const events = new EventEmitter() as WorkerEvents
    let isEnding = false
    const clear = () => {
      if (isEnding) return
      if (trouble !== undefined) logger.info('Queue is taking jobs')
      trouble = undefined
    }
    events.on('pool:create', ({ workerPool }) => {
      workers = workerPool
    })
    events.on('pool:gracefulShutdown', () => {
      isEnding = true
      trouble = 'The queue is not running.'
    })
    events.on('worker:getJob:empty', clear)
    events.on('job:start', clear)
    events.on('worker:getJob:error', ({ error }) => {
      if (trouble === undefined) logger.error({ err: error }, 'Queue could not take jobs')
      trouble ??= 'No job can be taken.'
    })
    events.on('job:error', ({ job, error }) => {
      const { id, task_identifier: task, attempts: attempt, max_attempts } = job
      const isLast = attempt >= max_attempts
      logger[isLast ? 'error' : 'warn'](
        { task, job: id, attempt, max_attempts, err: error },
        isLast ? 'Task failed for good' : 'Task failed',
      )
    })
    return events
  }

  async function keepRunning(): Promise<void> {
    for (let attempt = 1; !stopping.signal.aborted; attempt++) {
      const startedAt = performance.now()
      const reason = await runOnce().then(
        () => 'graphile-worker ended',
        (error: Error) => error.message,
      )
      if (stopping.signal.aborted) return
      trouble = 'The queue is not running.'
      if (performance.now() - startedAt > 2 * longestDelayMs) attempt = 1
      const delay = Math.min(firstDelayMs * 2 ** (attempt - 1), longestDelayMs)
      logger.warn({ reason, attempt, retry_in_ms: delay }, 'Queue is not running')
      await pause(delay)
    }
  }

  return {
    start() {
      ended = keepRunning()
    },
    trouble: () => (stopping.signal.aborted ? 'The worker is stopping.' : trouble),
    async stop() {
      stopping.abort()
      let isLate = false
      // A job that is handed back runs elsewhere in seconds, not in four hours. (0.18's kill() does nothing after stop().)
      const timer = setTimeout(() => {
        isLate = true
        Promise.resolve(workers?.forcefulShutdown('The worker is stopping.')).catch(() => {})
      }, 2500)
      // It refuses only when it has ended by itself.
      await runner?.stop().catch(() => {})
      await ended
      clearTimeout(timer)
      if (isLate) throw new Error('Some jobs did not end in time and were handed back')
    },
  }
}

/** graphile-worker's own log: its news at debug, its warnings and errors as they are, never what a job carries. */
function bridge(logger: Logger): RunnerLogger {
  const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const
  return new RunnerLogger(() => (level, report, meta) => {
    // Failed jobs are logged above.
    if (!meta.failure) logger[levels[level]]({ report, err: meta.error }, 'Queue reported')
  })
}
