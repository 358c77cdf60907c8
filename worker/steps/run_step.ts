import type { Logger } from 'pino'
import { StepError } from '../outcomes/outcome.ts'
import { describeFailure, describeResult, describeReturn } from '../outcomes/serialize_result.ts'
import type { Db } from '../shared/db.ts'
import { patiently } from '../shared/outage.ts'
import type { Accidents } from './accidents.ts'
import type { Claim, ClaimedStep } from './claim.ts'
import type { Handler, Step } from './define_handler.ts'
import { mergeOutputs } from './merge_outputs.ts'

/**
 * Runs the handler of a claimed step and returns the result as text for the database, when the handler has ended. A handler
 * that ignores its signal is waited for, because until it ends it uses what the limits of its type protect. Never throws.
 */
export type RunStep = (claim: Claim) => Promise<string>

/** How long after its timeout a handler may still return its result: a paid answer is not thrown away for a moment. */
const graceMs = 2000
/** How long a page of outputs may take before it is read again on another connection. */
const readTimeoutMs = 15_000
/** How long a step without a handler in this process stays in the queue before a worker can claim it again. */
const unknownTypeDelayMs = 5000

export function createRunStep(options: {
  db: Db
  logger: Logger
  /** The handlers by job type, bound to their services. */
  handlers: Record<string, Handler>
  accidents: Pick<Accidents, 'call'>
}): RunStep {
  const { db, logger, handlers, accidents } = options

  async function run(claim: Claim): Promise<string> {
    const { step, abort } = claim
    if (step.fault) {
      return describeFailure(step, new StepError(step.fault.slug, step.fault.message, { isPermanent: true }))
    }
    const handler = handlers[step.type]
    if (handler === undefined) {
      logger.error({ step: step.id, type: step.type }, 'Step has a type without a handler')
      return describeReturn(step, { delayMs: unknownTypeDelayMs })
    }
    let lastMoment = Number.POSITIVE_INFINITY
    const onTimeout = () => {
      lastMoment = performance.now() + graceMs
      const seconds = step.timeout_ms / 1000
      const message = `The handler ran longer than ${seconds} seconds, the timeout of its type. Retry the run. If the step fails again, tell the operator.`
      accidents.call(claim, () => abort.abort(new StepError('timed_out', message)))
    }
    const timer = setTimeout(onTimeout, step.timeout_ms)
    try {
      const result = await callHandler(handler, claim)
      if (performance.now() > lastMoment) throw abort.signal.reason
      return describeResult(step, result, claim.progress)
    } catch (error) {
      const reason: unknown = abort.signal.reason
      // A stopped step is returned without counting a failure, even if its handler threw. A timeout counts as a failure.
      if (abort.signal.aborted && !(reason instanceof StepError)) return describeReturn(step, { begun: true })
      const failure = abort.signal.aborted ? reason : error
      logFailure(step, failure)
      return describeFailure(step, failure)
    } finally {
      clearTimeout(timer)
    }
  }

  /** A log that fails, for example because the disk is full, must not change why the step failed. */
  function logFailure({ id, type, failures }: ClaimedStep, error: unknown): void {
    try {
      // pino omits undefined.
      logger.warn({ step: id, type, failures, err: error ?? String(error) }, 'Step failed')
    } catch {}
  }

  async function callHandler(handler: Handler, claim: Claim): Promise<unknown> {
    const { step, abort } = claim
    const { signal } = abort
    const leaves = step.outputs ?? (await Promise.race([readOutputs(step, signal), rejectAtAbort(signal)]))
    const outputs = mergeOutputs(leaves)
    signal.throwIfAborted()
    let ownLogger: Logger | undefined
    const facts: Step = {
      id: step.id,
      fence: step.fence,
      runId: step.run_id,
      ownerId: step.owner_id,
      key: step.key,
      outputs,
      state: step.state,
      failures: step.failures,
      buyingIsStopped: step.buying_is_stopped,
      signal,
      // Made when it is first used, because most steps log nothing and a child logger costs microseconds.
      get logger() {
        ownLogger ??= logger.child({ step: step.id, key: step.key, type: step.type })
        return ownLogger
      },
      now: () => Math.round(step.now_ms + performance.now() - claim.claimedAt),
      progress: (fraction) => {
        claim.progress = toProgress(fraction)
      },
    }
    return accidents.call(claim, () => handler(step.input, facts))
  }

  /** Reads the outputs that were too large to be returned with the step, page by page. */
  async function readOutputs(step: ClaimedStep, signal: AbortSignal): Promise<[string[], unknown][]> {
    const all: [string[], unknown][] = []
    for (let after: number | null = 0; after !== null && !signal.aborted; ) {
      const args = { job_id: step.id, fence: step.fence, after_id: after }
      // An outage of the database must not fail the step.
      const rows: { read_outputs: { outputs: [string[], unknown][]; after_id: number | null } }[] = await patiently(
        signal,
        () => db.call('worker.read_outputs', args, { timeoutMs: readTimeoutMs }),
      )
      const page = rows[0]?.read_outputs
      all.push(...(page?.outputs ?? []))
      after = page?.after_id ?? null
    }
    return all
  }

  // Without a result, the step would stay claimed until this process ends.
  return (claim) => run(claim).catch((error) => describeFailure(claim.step, error))
}

/** Rejects when the signal aborts. */
function rejectAtAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

/** Rounds a progress from 0 to 1 to the four digits that the database keeps. */
function toProgress(fraction: number): number {
  if (!Number.isFinite(fraction)) return 0
  return Math.round(Math.min(Math.max(fraction, 0), 1) * 10_000) / 10_000
}
