import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Runner,
  Logger as RunnerLogger,
  run,
  type Task,
  type TaskList,
  type WorkerEvents,
  type WorkerPool,
} from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from 'pino'
import { isAway } from '../shared/connection_gate.ts'
import type { Db } from '../shared/db.ts'
import { clip } from '../shared/serialize_error.ts'
import { makePatient } from './patient_pool.ts'
import { followSchedules } from './schedules.ts'

const firstDelayMs = 250
const longestDelayMs = 5000
/** How long jobs may continue after their signals abort at a stop. */
const abortMaxMs = 1000

/** graphile-worker, restarted whenever it ends. */
export type Queue = {
  start(): void
  /** Why the queue cannot claim jobs at the moment; undefined when it can. */
  trouble(): string | undefined
  /**
   * Claims no more jobs. Running jobs continue for `drainMs`, or until `hurry` aborts; then their signals abort, and after a
   * second the jobs that have not ended are released to other workers, and it throws.
   */
  stop(drainMs: number, hurry: AbortSignal): Promise<void>
}

/**
 * Runs graphile-worker with these tasks. Restarts it with growing delays when it ends or cannot start, for example while
 * Postgres is down or not migrated. A restart of Postgres does not end it (see patient_pool.ts); a connection that breaks
 * during a claim or a completion does.
 */
export function createQueue(options: {
  pool: pg.Pool
  db: Db
  logger: Logger
  tasks: TaskList
  /** Whether this process adds the jobs of `app.schedules` (where pg_cron does not). */
  runsSchedules: boolean
  concurrency: number
  /** Calls a task. Default: only calls it. */
  callTask?: <Result>(name: string, work: () => Result) => Result
}): Queue {
  const { pool, db, logger, tasks: taskList, runsSchedules, concurrency } = options
  const { callTask = (_name, work) => work() } = options
  const stopping = new AbortController()
  /** Aborts when a stop waits neither for jobs nor for the database any longer. */
  const leaving = new AbortController()
  let running = 0
  let runner: Runner | undefined
  let workers: WorkerPool | undefined
  let trouble: string | undefined = 'The queue has not started.'
  let ended: Promise<void> = Promise.resolve()

  async function runOnce(): Promise<void> {
    // Jobs whose end an earlier runner could not record stay locked for four hours. Unlock them, so they run again now.
    if (workers) await db.call('graphile_worker.force_unlock_workers', { worker_ids: [workers.id] })
    const schedules = runsSchedules ? await followSchedules(db, logger) : { items: [], stop: () => {} }
    try {
      const broken = new AbortController()
      const events = watch(broken)
      // After a fatal error the runner shuts down, but a second error can make it wait without end.
      const isOver = once(events, 'pool:fatalError').then(() => pause(longestDelayMs))
      runner = await run({
        pgPool: makePatient(pool, logger, leaving.signal),
        schema: 'graphile_worker',
        concurrency,
        taskList: countJobs(taskList, AbortSignal.any([broken.signal, leaving.signal])),
        parsedCronItems: schedules.items,
        events,
        logger: bridge(logger),
        noHandleSignals: true,
        noPreparedStatements: false,
        // Without batch delays, a connection that breaks while a job's end is recorded is an unhandled rejection, which
        // ends the process. With them 0.18 does not retry either (its issue 636), but it emits an event and shuts down.
        preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      })
      if (stopping.signal.aborted) await runner.stop()
      await Promise.race([runner.promise, isOver])
    } finally {
      schedules.stop()
      runner = undefined
    }
  }

  /** Waits; returns early when the worker stops. */
  function pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})
  }

  /** Counts running jobs, and gives them this signal: graphile-worker's own signal aborts jobs without a drain. */
  function countJobs(tasks: TaskList, abortSignal: AbortSignal): TaskList {
    const count =
      (name: string, task: Task): Task =>
      async (payload, helpers) => {
        running += 1
        try {
          return await callTask(name, () => task(payload, { ...helpers, abortSignal }))
        } finally {
          running -= 1
        }
      }
    return Object.fromEntries(Object.entries(tasks).map(([name, task]) => [name, count(name, task as Task)]))
  }

  /** Resolves when no job runs, or when `ms` have passed or the signal aborts. */
  async function untilNoneRuns(ms: number, signal?: AbortSignal): Promise<void> {
    for (const end = performance.now() + ms; running > 0 && performance.now() < end && !signal?.aborted; ) {
      await sleep(20)
    }
  }

  /** `broken` aborts when graphile-worker ends by itself. */
  function watch(broken: AbortController): WorkerEvents {
    const events = new EventEmitter() as WorkerEvents
    let isEnding = false
    const clear = () => {
      if (isEnding) return
      if (trouble !== undefined) logger.info('Queue started to claim jobs')
      trouble = undefined
    }
    events.on('pool:create', ({ workerPool }) => {
      workers = workerPool
    })
    events.on('pool:gracefulShutdown', () => {
      isEnding = true
      trouble = 'The queue is not running.'
      if (!stopping.signal.aborted) broken.abort()
    })
    // Without a time, the job is due now by the clock of the database. The time of a worker whose clock is ahead would
    // come hours later, and each minute's job replaces the one before, so the schedule would never run.
    events.on('cron:schedule', ({ jobsAndIdentifiers }) => {
      for (const { job } of jobsAndIdentifiers) delete (job as Partial<typeof job>).runAt
    })
    events.on('worker:getJob:empty', clear)
    events.on('job:start', clear)
    events.on('worker:getJob:error', ({ error }) => {
      if (trouble === undefined) logger.error({ err: error }, 'Queue could not claim jobs')
      trouble ??= 'The queue cannot claim jobs.'
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
      const error = await runOnce().then(
        () => new Error('graphile-worker ended'),
        (thrown: Error) => thrown,
      )
      if (stopping.signal.aborted) return
      trouble = 'The queue is not running.'
      if (performance.now() - startedAt > 2 * longestDelayMs) attempt = 1
      const delay = Math.min(firstDelayMs * 2 ** (attempt - 1), longestDelayMs)
      // The pool has logged once why the database cannot be reached.
      const level = isAway(error) ? 'debug' : 'warn'
      logger[level]({ reason: error.message, attempt, retry_in_ms: delay }, 'Queue is not running')
      await pause(delay)
    }
  }

  return {
    start() {
      ended = keepRunning()
    },
    trouble: () => (stopping.signal.aborted ? 'The worker is stopping.' : trouble),
    async stop(drainMs, hurry) {
      stopping.abort()
      // stop() rejects only when the runner has already ended.
      const stopped = runner?.stop().catch(() => {})
      await untilNoneRuns(drainMs, hurry)
      leaving.abort()
      await untilNoneRuns(abortMaxMs)
      const isLate = running > 0
      // A released job runs elsewhere within seconds instead of four hours. (In 0.18, kill() does nothing after stop().)
      const release = () => Promise.resolve(workers?.forcefulShutdown('The worker is stopping.')).catch(() => {})
      if (isLate) void release()
      const timer = setTimeout(release, abortMaxMs)
      await stopped
      await ended
      clearTimeout(timer)
      if (isLate) throw new Error('Some jobs did not end in time and were released to other workers')
    },
  }
}

/** Forwards graphile-worker's log: info as debug, warnings and errors at their level, never a job's payload. */
function bridge(logger: Logger): RunnerLogger {
  const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const
  return new RunnerLogger(() => (level, report, meta) => {
    // Failed jobs are logged by the listener of job:error.
    if (!meta.failure) logger[levels[level]]({ report: clip(report, 2000), err: meta.error }, 'Queue reported')
  })
}
