import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'
import { createAppetite } from './appetite.ts'
import type { Handler } from './define_handler.ts'
import { createExchange } from './exchange.ts'
import { beatMs, createHeartbeat } from './heartbeat.ts'
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
  /** Starts the heartbeat. */
  start(): void
  /**
   * Claims no more steps, aborts the handlers, and after 1.5 s returns unfinished steps to the queue without counting failures.
   */
  stop(): Promise<void>
}

const runMaxMs = 180_000
const stopMaxMs = 1500

/** Runs `concurrency` steps at the same time. A result waits only for a running exchange. */
export function createPump(options: {
  db: Db
  logger: Logger
  /** The handlers by job type. The pump claims only steps of these types. */
  handlers: Record<string, Handler>
  concurrency: number
}): Pump {
  const { db, logger, handlers, concurrency } = options
  const workerId = crypto.randomUUID()
  const door = { db, logger, workerId, types: Object.keys(handlers) }
  const exchange = createExchange(door)
  const appetite = createAppetite({ concurrency, onWake: plan })
  const slots = createSlots({
    concurrency,
    runStep: createRunStep({ db, logger, handlers }),
    onResult: exchange.add,
    onEnd(durationMs) {
      appetite.learn(durationMs)
      if (slots.waiting === 0) appetite.grow()
      plan()
    },
  })
  const heartbeat = createHeartbeat({
    ...door,
    listClaims() {
      // A step that was claimed ahead and got no slot until the next beat is returned, so that other processes can claim it.
      if (slots.returnStale(beatMs) > 0) {
        appetite.shrink()
        plan()
      }
      return slots.list()
    },
    onUnwanted: slots.end,
    onReady() {
      if (slots.size < concurrency) appetite.wake()
    },
  })
  /** Resolves the calls of `run`. */
  const idlers = new Set<() => void>()
  let isPlanned = false
  let isCalling = false
  let isStopping = false

  const isIdle = () => !isCalling && slots.size === 0 && exchange.pending === 0

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
    const want = appetite.count(slots.size)
    if (want > 0 || exchange.pending > 0) await exchangeOnce(want)
    if (exchange.pending > 0 || appetite.count(slots.size) > 0) plan()
    else if (isIdle()) resolveIdlers()
  }

  async function exchangeOnce(want: number): Promise<void> {
    isCalling = true
    const exchanged = await exchange.run(want)
    isCalling = false
    if (exchanged === undefined) return
    slots.forget(exchanged.handedIn)
    if (exchanged.steps.length > 0) appetite.feed()
    // Results that arrived during the call may release more steps, so the next call claims again.
    if (exchanged.isShort && exchange.pending === 0) appetite.rest(exchanged.wakeInMs)
    slots.add(exchanged.steps)
  }

  function resolveIdlers(): void {
    for (const resolve of idlers) resolve()
    idlers.clear()
  }

  return {
    async run(signal) {
      if (signal.aborted || isStopping) return
      const idle = new Promise<void>((resolve) => {
        idlers.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      appetite.wake()
      await Promise.race([idle, sleep(runMaxMs, undefined, { ref: false })])
    },
    start: heartbeat.start,
    async stop() {
      isStopping = true
      appetite.stop()
      heartbeat.stop()
      resolveIdlers()
      slots.close()
      plan()
      for (const end = Date.now() + stopMaxMs; !isIdle() && Date.now() < end; ) await sleep(10)
      while (isCalling) await sleep(10)
      slots.returnRunning()
      await exchange.flush()
      await db.call('worker.leave', { worker_id: workerId })
    },
  }
}
