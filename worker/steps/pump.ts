import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { beatMs } from '../heartbeat/beats.ts'
import { createClaimsTable } from '../heartbeat/claims_table.ts'
import type { OpenHeartbeat } from '../heartbeat/heartbeat.ts'
import { createTicks } from '../heartbeat/ticks.ts'
import type { Db } from '../shared/db.ts'
import type { Accident, Accidents } from './accidents.ts'
import { createAppetite } from './appetite.ts'
import type { Handler } from './define_handler.ts'
import { createExchange } from './exchange.ts'
import { listVersions } from './list_versions.ts'
import { createRunStep } from './run_step.ts'
import { createSlots } from './slots.ts'

// Terms:
//
// run      a root job with its subtree of steps.
// lane     the steps of one owner and one job type; the server serves lanes in turn.
// claim    a step that the server gave to this process; it ends when the server has the step's result.
// fence    the number of a claim; the server refuses a result whose fence is not the step's latest.
// wake-up  a job of graphile-worker that says that steps may be ready; a lost or doubled wake-up changes no result.
// pump     the loop below: each exchange hands results in and claims steps, until no step is ready and none runs.

/** Exchanges results for steps, and runs the steps. Each process has one pump. */
export type Pump = {
  /** Claims and runs steps until no step is ready and no step runs, for some minutes at most. All callers share one loop. */
  run(signal: AbortSignal): Promise<void>
  /** Starts the heartbeat, which lives until `stop`. */
  start(): void
  /** Ends all claims after an accident of a handler or a task, because the process may be in any state. */
  endAfterAccident(accident: Accident): void
  /**
   * Claims no more steps. Running steps continue for `drainMs`, or until `hurry` aborts; then their handlers are aborted, and
   * after a second the steps that have not ended are returned to the queue. Throws if results could not be handed in.
   */
  stop(drainMs: number, hurry: AbortSignal): Promise<void>
}

const runMaxMs = 180_000
/** How long handlers may continue after their signals abort at a stop. */
const abortMaxMs = 1000
/** How long the last results may take to be handed in. */
const handInMaxMs = 2000
/** How long the worker may take to sign off. */
const leaveMaxMs = 2000
/** How many accidents are logged: a timer of the handler may fire again and again. */
const accidentsLogged = 10

/** Runs `concurrency` steps at the same time. A result waits only for a running exchange. */
export function createPump(options: {
  db: Db
  /** Connections that only exchanges use. Default: `db`. */
  exchangeDb?: Db
  logger: Logger
  /** The handlers by job type. The pump claims only steps of these types. */
  handlers: Record<string, Handler>
  concurrency: number
  accidents: Pick<Accidents, 'call'>
  /** Called when the process should stop and end, because a handler ignored its signal for `ignoredMaxMs`. */
  onIgnoredSignal(): void
  /** How long after its signal a handler may continue. Default: a minute. */
  ignoredMaxMs?: number
  openHeartbeat: OpenHeartbeat
}): Pump {
  const { db, logger, handlers, concurrency, accidents, onIgnoredSignal, ignoredMaxMs = 60_000 } = options
  const workerId = crypto.randomUUID()
  const types = Object.keys(handlers)
  const exchange = createExchange({
    db: options.exchangeDb ?? db,
    logger,
    workerId,
    types,
    onHandedIn(fences) {
      slots.forget(fences)
      plan()
    },
  })
  const table = createClaimsTable(types)
  const appetite = createAppetite({ concurrency, onWake: plan })
  const slots = createSlots({
    concurrency,
    table,
    // During a stall of this process, the server may have given the step to another worker.
    mayBegin: ({ askedAt }) => askedAt > ticks.stalledAt,
    runStep: createRunStep({ db, logger, handlers, accidents }),
    callAs: accidents.call,
    onResult: exchange.add,
    onEnd(durationMs) {
      appetite.learn(durationMs)
      if (slots.waiting === 0) appetite.grow()
      plan()
    },
    onIgnoredSignal({ step }) {
      logger.error({ step: step.id, type: step.type }, 'Handler ignored its abort signal')
      onIgnoredSignal()
    },
    ignoredMaxMs,
  })
  const ticks = createTicks(table, () => {
    slots.report()
    // A step that was claimed ahead and got no slot for a beat is returned, so that other processes can claim it.
    if (slots.returnStale(beatMs) > 0) {
      appetite.shrink()
      plan()
    }
  })
  const heartbeat = options.openHeartbeat({
    workerId,
    versions: listVersions(handlers),
    memory: table.memory,
    onUnwanted(fences) {
      for (const fence of fences) slots.end(fence)
      plan()
    },
    onReady() {
      if (slots.size < concurrency && !slots.isReserved) appetite.wake()
    },
  })
  /** Resolves the calls of `run`. */
  const idlers = new Set<() => void>()
  let isPlanned = false
  let isCalling = false
  let isStopping = false
  let isBroken = false
  let accidentsSeen = 0

  // The heartbeat lists all claims, so there are never more claims than rows.
  const countWanted = () => (slots.isReserved ? 0 : Math.min(appetite.count(slots.size), table.room))
  const hasNone = (claims: number) => claims === 0 && !isCalling && exchange.pending === 0
  // Late results keep no call of `run` open, because each call occupies a job of graphile-worker, and a client decides how
  // long a result is late.
  const isIdle = () => hasNone(slots.size)
  const isDrained = () => hasNone(slots.busy) && exchange.late === 0
  const isEmpty = () => isIdle() && exchange.late === 0

  /** Exchanges at the end of this turn of the event loop, so that all results of the turn go together. */
  function plan(): void {
    if (isPlanned || isCalling) return
    isPlanned = true
    setImmediate(() => {
      isPlanned = false
      void turn()
    })
  }

  async function turn(): Promise<void> {
    const want = countWanted()
    if (want > 0 || exchange.pending > 0) await exchangeOnce(want)
    if (exchange.pending > 0 || countWanted() > 0) plan()
    else if (isIdle()) resolveIdlers()
  }

  async function exchangeOnce(want: number): Promise<void> {
    isCalling = true
    const askedAt = performance.now()
    const exchanged = await exchange.run(want)
    isCalling = false
    if (exchanged === undefined) return
    slots.forget(exchanged.handedIn)
    if (exchanged.late.length > 0) slots.postpone(exchanged.late)
    if (exchanged.steps.length > 0) appetite.feed()
    // Results that arrived during the call may release more steps, so the next call claims again.
    if (exchanged.isShort && exchange.pending === 0) appetite.rest(exchanged.wakeInMs)
    slots.add(exchanged.steps, askedAt)
  }

  function resolveIdlers(): void {
    for (const resolve of idlers) resolve()
    idlers.clear()
  }

  /** Resolves when the fact holds, or when `ms` have passed or the signal aborts. */
  async function until(fact: () => boolean, ms: number, signal?: AbortSignal): Promise<void> {
    for (const end = performance.now() + ms; !fact() && performance.now() < end && !signal?.aborted; ) await sleep(10)
  }

  return {
    async run(signal) {
      if (signal.aborted || isStopping) return
      const idle = new Promise<void>((resolve) => {
        idlers.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      // The pump's own work is not the work of the task that wakes the pump.
      accidents.call(undefined, appetite.wake)
      await Promise.race([idle, sleep(runMaxMs, undefined, { ref: false })])
    },
    start() {
      ticks.start()
      heartbeat.start()
    },
    endAfterAccident({ kind, error, culprit }) {
      if (!isBroken) {
        isBroken = true
        appetite.stop()
        slots.endAfterAccident(kind, culprit)
        plan()
      }
      accidentsSeen += 1
      if (accidentsSeen > accidentsLogged) return
      // An error here would end the process at once, before the claims are handed in.
      try {
        const names =
          typeof culprit === 'string' ? { task: culprit } : { step: culprit?.step.id, type: culprit?.step.type }
        logger.error({ kind, ...names, err: error }, 'Process had an accident')
      } catch {}
    },
    async stop(drainMs, hurry) {
      isStopping = true
      appetite.stop()
      resolveIdlers()
      slots.close()
      plan()
      if (!isBroken) await until(isDrained, drainMs, hurry)
      const aborted = slots.abort()
      if (aborted.length > 0) {
        const types = [...new Set(aborted.map(({ type }) => type))]
        logger.warn({ steps: aborted.map(({ id }) => id), types }, 'Running steps were aborted')
      }
      if (!isBroken) await until(isEmpty, abortMaxMs)
      slots.endRunning()
      plan()
      await until(isEmpty, handInMaxMs)
      ticks.stop()
      await heartbeat.stop()
      const left = exchange.pending + exchange.late
      const leaving = db.call('worker.leave', { worker_id: workerId })
      await Promise.race([leaving, sleep(leaveMaxMs)]).catch((error: Error) =>
        logger.warn({ reason: error.message }, 'Worker could not sign off'),
      )
      if (left > 0 || !isEmpty()) throw new Error('Some results could not be handed in')
    },
  }
}
