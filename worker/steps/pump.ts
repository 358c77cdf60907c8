import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'
import type { Handler } from './define_handler.ts'
import { mergeOutputs } from './merge_outputs.ts'
import { StepError } from './outcome.ts'
import { describeFailure, describeResult, describeReturn } from './serialize_result.ts'

/** A step as `worker.exchange_steps` gives it. */
type Step = {
  id: number
  fence: number
  run_id: number
  owner_id: string | null
  key: string
  type: string
  input: unknown
  state: unknown
  failures: number
  timeout_ms: number
  max_output_bytes: number
  outputs: [string[], unknown][] | null
}
type Answer = { refused: { index: number; id: number; reason: string }[]; steps: Step[]; wake_in_ms: number | null }
type Pulse = { stop: { id: number; fence: number }[]; wake_in_ms: number | null }
type Held = { step: Step; abort: AbortController; progress: number; takenAt: number }
/** What became of a step, as text for the database. */
type Result = { fence: number; text: string; timeouts?: number }

/** Steps of runs, as this process runs them. */
export type Steps = {
  /** Takes steps until none is ready and none runs, or for some minutes; several calls share one pump. */
  pump(signal: AbortSignal): Promise<void>
  /** Begins to heartbeat. */
  start(): void
  /** Takes no more, stops what runs, and gives back what does not end within 1.5 s. */
  stop(): Promise<void>
}

const pulseMs = 1000
const graceMs = 2000
const pumpMs = 180_000
/** What is fetched ahead should be done in this time, whoever else waits for it. */
const aheadMs = 100
const batchMax = 500
const bytesMax = 4 * 2 ** 20
const timeoutsMax = 10

/**
 * The pump: takes steps in batches, runs `concurrency` of them side by side, and hands results in and takes the next in one
 * call. A result waits for nothing but a call that is under way.
 */
export function createSteps(options: {
  db: Db
  logger: Logger
  handlers: Record<string, Handler>
  concurrency: number
}): Steps {
  const { db, logger, handlers, concurrency } = options
  const workerId = crypto.randomUUID()
  // A step of a type that this process does not know stays for one that does.
  const types = Object.keys(handlers)
  /** Each by its fence, until the database has its result: what this process does not name, it is taken not to have. */
  const held = new Map<number, Held>()
  const running = new Map<number, Held>()
  const waiting: Held[] = []
  let results: Result[] = []
  let isWanting = false
  let isStopping = false
  let isCalling = false
  let isPlanned = false
  let averageMs = aheadMs
  let wake: NodeJS.Timeout | undefined
  let pulse: NodeJS.Timeout | undefined
  let retryMs = 0
  let wantMax = batchMax
  let emptyTurns = 0
  const idlers = new Set<() => void>()

  const isIdle = () => !isWanting && !isCalling && running.size === 0 && waiting.length === 0 && results.length === 0

  function nudge(): void {
    if (isStopping) return
    clearTimeout(wake)
    isWanting = true
    plan()
  }

  /** After all results of this turn of the event loop have come. */
  function plan(): void {
    if (isPlanned || isCalling) return
    isPlanned = true
    setImmediate(() => {
      isPlanned = false
      void exchange()
    })
  }

  /** Steps that are over within milliseconds are fetched ahead; others only as there is room to run them. */
  function countWanted(): number {
    if (!isWanting || isStopping) return 0
    const mine = running.size + waiting.length
    const ahead = Math.round(concurrency * Math.min(aheadMs / Math.max(averageMs, 0.25), 20))
    return Math.max(0, Math.min(Math.min(Math.max(concurrency, ahead), batchMax) - mine, wantMax))
  }

  async function exchange(): Promise<void> {
    if (isCalling) return
    const want = countWanted()
    if (want === 0 && results.length === 0) return settle()
    isCalling = true
    const batch = takeBatch()
    try {
      const answer = await call(batch, want)
      retryMs = 0
      wantMax = Math.min(wantMax * 2, batchMax)
      for (const { fence } of batch) held.delete(fence)
      for (const { id, reason } of answer.refused) logger.warn({ step: id, reason }, 'Result was refused')
      for (const step of answer.steps) {
        const one = { step, abort: new AbortController(), progress: 0, takenAt: performance.now() }
        held.set(step.fence, one)
        waiting.push(one)
      }
      if (answer.steps.length > 0) emptyTurns = 0
      if (want > 0 && answer.steps.length < want) rest(answer.wake_in_ms)
      startWaiting()
    } catch (error) {
      results = [...batch, ...results]
      // So many steps are too much for one answer, perhaps.
      if (isTooMuch(error)) wantMax = Math.max(1, Math.floor(Math.min(want, wantMax) / 2))
      retryMs = Math.min(Math.max(50, retryMs * 2), 1000)
      logger.warn({ reason: (error as Error).message, retry_in_ms: retryMs }, 'Results could not be handed in')
      await sleep(retryMs)
    } finally {
      isCalling = false
    }
    if (results.length > 0 || countWanted() > 0) plan()
    else settle()
  }

  function takeBatch(): Result[] {
    let bytes = 0
    const fits = results.findIndex(({ text }, index) => {
      bytes += text.length
      return index === batchMax || (index > 0 && bytes > bytesMax)
    })
    const batch = fits === -1 ? results : results.slice(0, fits)
    results = fits === -1 ? [] : results.slice(fits)
    return batch
  }

  async function call(batch: Result[], want: number): Promise<Answer> {
    try {
      const rows = await db.call<{ exchange_steps: Answer }>('worker.exchange_steps', {
        worker_id: workerId,
        results: `[${batch.map(({ text }) => text).join(',')}]`,
        want,
        types,
      })
      return rows[0]?.exchange_steps as Answer
    } catch (error) {
      // What Postgres cannot take is one result's fault, if it is not the answer that is too much: alone, it fails; its
      // neighbours go on.
      if (!isTooMuch(error) || batch.length === 0) throw error
      if (want > 0) {
        await call(batch, 0)
        return call([], want)
      }
      if (batch.length > 1) {
        const refused: Answer['refused'] = []
        for (const one of batch) refused.push(...(await call([one], 0)).refused)
        return { refused, steps: [], wake_in_ms: null }
      }
      const { id, fence, outcome } = JSON.parse(batch[0]?.text ?? '{}')
      if (outcome === 'failed') {
        // Not even that: it is not named any more, and its lease frees it.
        logger.error({ step: id, err: error }, 'Result cannot be handed in')
        return { refused: [], steps: [], wake_in_ms: null }
      }
      // What took too long says nothing against the result: it is kept, and goes better at another time. Not for ever.
      const [only] = batch
      if (only && codeOf(error) === '57014') {
        only.timeouts = (only.timeouts ?? 0) + 1
        if (only.timeouts < timeoutsMax) throw error
      }
      const failure =
        codeOf(error) === '57014'
          ? new StepError('result_timed_out', 'Handing it in took too long, again and again.')
          : new StepError('output_invalid', 'The output cannot be stored.', { isPermanent: true })
      return call([{ fence, text: describeFailure({ id, fence }, failure) }], 0)
    }
  }

  /** Nothing more for now: until the next nudge, or until something is due. */
  function rest(wakeInMs: number | null): void {
    // What ended during the call may release more: its results ask again.
    isWanting = results.length > 0
    if (isWanting) return
    // Where nothing is known of, once more: what was submitted beside a pump that was just ending has none of its own.
    if (isStopping || (wakeInMs === null && emptyTurns > 0)) return
    clearTimeout(wake)
    // At once means that others hold it for a moment, or that a limit is reached: not at once again, and ever more seldom.
    const pauseMs = wakeInMs === null ? 20 : Math.min(5 * 2 ** emptyTurns, 500)
    emptyTurns += 1
    wake = setTimeout(nudge, Math.min(Math.max(wakeInMs ?? 0, pauseMs), 60_000))
    wake.unref()
  }

  function settle(): void {
    if (!isIdle()) return
    for (const done of idlers) done()
    idlers.clear()
  }

  function startWaiting(): void {
    // What a call brought that was under way when the worker was told to stop.
    if (isStopping) giveBack(waiting.splice(0))
    while (running.size < concurrency) {
      const next = waiting.shift()
      if (next === undefined) return
      running.set(next.step.fence, next)
      void run(next)
    }
  }

  function giveBack(list: Held[]): void {
    for (const { step } of list) results.push({ fence: step.fence, text: describeReturn(step) })
  }

  async function run(one: Held): Promise<void> {
    const { step } = one
    const startedAt = performance.now()
    // Never without a result, or the step would be held for as long as this process lives.
    const text = await settleStep(one).catch((error) => describeFailure(step, error))
    averageMs += (performance.now() - startedAt - averageMs) / 20
    running.delete(step.fence)
    results.push({ fence: step.fence, text })
    startWaiting()
    // A slot is free again: others may have left something.
    if (!isStopping && waiting.length === 0) isWanting = true
    plan()
  }

  /** What becomes of a step, as text for the database; never throws. */
  async function settleStep(one: Held): Promise<string> {
    const { step, abort } = one
    const handler = handlers[step.type]
    if (handler === undefined) {
      logger.error({ step: step.id, type: step.type }, 'Step has a type without a handler')
      return describeReturn(step, 5000)
    }
    const timer = setTimeout(
      () => abort.abort(new StepError('timed_out', 'The handler took too long.')),
      step.timeout_ms,
    )
    try {
      const leaves = step.outputs ?? (await Promise.race([readOutputs(step, abort.signal), rejectAt(abort.signal, 0)]))
      const outputs = mergeOutputs(leaves)
      abort.signal.throwIfAborted()
      const work = handler(step.input, {
        id: step.id,
        runId: step.run_id,
        ownerId: step.owner_id,
        key: step.key,
        outputs,
        state: step.state,
        failures: step.failures,
        signal: abort.signal,
        logger: logger.child({ step: step.id, key: step.key, type: step.type }),
        progress: (fraction) => {
          one.progress = Number.isFinite(fraction)
            ? Math.round(Math.min(Math.max(fraction, 0), 1) * 10_000) / 10_000
            : 0
        },
      })
      return describeResult(step, await Promise.race([work, rejectAt(abort.signal, graceMs)]), one.progress)
    } catch (error) {
      const reason: unknown = abort.signal.reason
      // Stopped by us: given back, uncounted, whatever the handler made of it. A timeout counts.
      if (abort.signal.aborted && !(reason instanceof StepError)) return describeReturn(step)
      const failure = abort.signal.aborted ? reason : error
      logger.warn({ step: step.id, type: step.type, failures: step.failures, err: failure }, 'Step failed')
      return describeFailure(step, failure)
    } finally {
      clearTimeout(timer)
    }
  }

  async function readOutputs(step: Step, signal: AbortSignal): Promise<[string[], unknown][]> {
    const all: [string[], unknown][] = []
    for (let after: number | null = 0; after !== null && !signal.aborted; ) {
      const rows: { read_outputs: { outputs: [string[], unknown][]; after_id: number | null } }[] = await db.call(
        'worker.read_outputs',
        { job_id: step.id, fence: step.fence, after_id: after },
      )
      const page = rows[0]?.read_outputs
      all.push(...(page?.outputs ?? []))
      after = page?.after_id ?? null
    }
    return all
  }

  async function beat(): Promise<void> {
    // What was fetched ahead and does not get its turn goes back to others.
    const stale = waiting.filter(({ takenAt }) => performance.now() - takenAt > pulseMs)
    for (const one of stale) waiting.splice(waiting.indexOf(one), 1)
    giveBack(stale)
    if (stale.length > 0) {
      averageMs = Math.max(averageMs, aheadMs)
      plan()
    }
    const rows = await db.call<{ heartbeat: Pulse }>('worker.heartbeat', {
      worker_id: workerId,
      running: JSON.stringify(
        Array.from(held.values(), ({ step, progress }) => ({ id: step.id, fence: step.fence, progress })),
      ),
      types,
    })
    const answer = rows[0]?.heartbeat
    for (const { fence } of answer?.stop ?? []) {
      running.get(fence)?.abort.abort(new Error('The step is not wanted any more.'))
      const place = waiting.findIndex(({ step }) => step.fence === fence)
      if (place !== -1) giveBack(waiting.splice(place, 1))
    }
    if (answer?.wake_in_ms === 0 && running.size + waiting.length < concurrency) nudge()
  }

  async function keepBeating(): Promise<void> {
    await beat().catch((error: Error) => logger.warn({ reason: error.message }, 'Heartbeat failed'))
    if (!isStopping) pulse = setTimeout(keepBeating, pulseMs)
  }

  return {
    async pump(signal) {
      if (signal.aborted || isStopping) return
      nudge()
      const done = new Promise<void>((resolve) => {
        idlers.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      await Promise.race([done, sleep(pumpMs, undefined, { ref: false })])
    },
    start() {
      void keepBeating()
    },
    async stop() {
      isStopping = true
      isWanting = false
      clearTimeout(wake)
      clearTimeout(pulse)
      for (const done of idlers) done()
      giveBack(waiting.splice(0))
      for (const { abort } of running.values()) abort.abort(new Error('The worker is stopping.'))
      plan()
      for (const end = Date.now() + 1500; !isIdle() && Date.now() < end; ) await sleep(10)
      // A call under way may still bring steps, which go back with the others.
      while (isCalling) await sleep(10)
      // A handler that does not heed its signal: its step goes to others now, its result is refused.
      giveBack([...running.values()])
      while (results.length > 0) await call(takeBatch(), 0)
      await db.call('worker.leave', { worker_id: workerId })
    },
  }
}

/** Rejects so long after the signal has aborted, for what does not heed it. */
function rejectAt(signal: AbortSignal, ms: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    const begin = () => void setTimeout(() => reject(new Error('The handler did not heed its signal.')), ms).unref()
    if (signal.aborted) begin()
    else signal.addEventListener('abort', begin, { once: true })
  })
}

/** Whether Postgres cannot take it, or not so much at once: data (22), its limits (54), its patience (57014). */
function isTooMuch(error: unknown): boolean {
  return /^(22|54|57014$)/.test(codeOf(error))
}

function codeOf(error: unknown): string {
  return ((error as Error).cause as { code?: string } | undefined)?.code ?? ''
}
