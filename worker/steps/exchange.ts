import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { StepError } from '../outcomes/outcome.ts'
import { describeFailure } from '../outcomes/serialize_result.ts'
import { isUnanswered } from '../shared/client.ts'
import { isAway, pauseAfter } from '../shared/connection_gate.ts'
import type { Db } from '../shared/db.ts'
import type { ClaimedStep } from './claim.ts'

/** The result of a step, as text for the database. */
export type Result = { fence: number; text: string }

/** The outcome of one exchange. */
export type Exchanged = {
  /** Fences of the results that the database now has, accepted or refused. */
  handedIn: number[]
  /** The steps that this process has claimed. */
  steps: ClaimedStep[]
  /** Whether the database returned fewer steps than were asked for. */
  isShort: boolean
  /** If short: in how many milliseconds the next step is due; null if no step is queued. */
  wakeInMs: number | null
}

/** The transport between the pump and `worker.exchange_steps`. */
export type Exchange = {
  /** Adds a result to the next batch. */
  add(result: Result): void
  /** How many results are not handed in yet, without the results of the running call. */
  readonly pending: number
  /**
   * Hands in a batch of results and claims up to `want` steps, in one transaction. If the call fails, keeps the batch for the
   * next call, waits a moment and returns undefined. Only one call may run at a time.
   */
  run(want: number): Promise<Exchanged | undefined>
  /** Hands in all pending results and claims nothing. Throws if a call fails. */
  flush(): Promise<void>
}

type Answer = {
  refused: { index: number; id: number; reason: string }[]
  steps: ClaimedStep[]
  wake_in_ms: number | null
}
type Pending = Result & { timeouts?: number }

const stepsMax = 500
const resultsMax = 500
const bytesMax = 4 * 2 ** 20
const timeoutsMax = 10
// A call on a connection whose packets are dropped is repeated after 10 s, a third of the lease: fences make that safe. A call
// that is slow gets more time with each attempt, at last more than the statement_timeout of role worker (30 s), because a
// call that Postgres ends for that reason is repeated in parts.
const firstTimeoutMs = 10_000
const longestTimeoutMs = 40_000

export function createExchange(options: { db: Db; logger: Logger; workerId: string; types: string[] }): Exchange {
  const { db, logger, workerId, types } = options
  let results: Pending[] = []
  let retryMs = 0
  let timeoutMs = firstTimeoutMs
  let wantMax = stepsMax

  /** Removes and returns the results of the next call: the oldest, up to a number and a size, but at least one. */
  function takeBatch(): Pending[] {
    let bytes = 0
    const fits = results.findIndex(({ text }, index) => {
      bytes += text.length
      return index === resultsMax || (index > 0 && bytes > bytesMax)
    })
    const batch = fits === -1 ? results : results.slice(0, fits)
    results = fits === -1 ? [] : results.slice(fits)
    return batch
  }

  async function call(batch: Pending[], want: number): Promise<Answer> {
    try {
      const args = {
        worker_id: workerId,
        results: `[${batch.map(({ text }) => text).join(',')}]`,
        want,
        types,
      }
      const rows = await db.call<{ exchange_steps: Answer }>('worker.exchange_steps', args, { timeoutMs })
      timeoutMs = firstTimeoutMs
      return rows[0]?.exchange_steps as Answer
    } catch (error) {
      if (isUnanswered(error)) timeoutMs = Math.min(timeoutMs * 2, longestTimeoutMs)
      if (!isTooMuch(error) || batch.length === 0) throw error
      return callInParts(batch, want, error)
    }
  }

  /**
   * After Postgres refused a call as too large: separates the claim from the results, then the results from each other, so that
   * a result that Postgres cannot store fails alone.
   */
  async function callInParts(batch: Pending[], want: number, error: unknown): Promise<Answer> {
    if (want > 0) {
      await call(batch, 0)
      return call([], want)
    }
    const [only, ...others] = batch
    if (only === undefined || others.length > 0) {
      const refused: Answer['refused'] = []
      for (const one of batch) refused.push(...(await call([one], 0)).refused)
      return { refused, steps: [], wake_in_ms: null }
    }
    return failAlone(only, error)
  }

  /** Hands in a failure instead of a result that Postgres cannot store. */
  async function failAlone(result: Pending, error: unknown): Promise<Answer> {
    const { id, fence, outcome } = JSON.parse(result.text)
    if (outcome === 'failed') {
      logger.error({ step: id, err: error }, 'Result cannot be handed in')
      // Postgres refuses the failure, too. A loss counts, so that the step does not run without end.
      const refusal = { slug: 'result_refused', message: 'The database cannot store the result of this step.' }
      return call([{ fence, text: JSON.stringify({ id, fence, outcome: 'lost', error: refusal }) }], 0)
    }
    if (outcome === 'lost') return { refused: [], steps: [], wake_in_ms: null }
    // A timeout says nothing about the result, so the result is kept and handed in again, ten times at most.
    const isTimeout = codeOf(error) === '57014'
    if (isTimeout) {
      result.timeouts = (result.timeouts ?? 0) + 1
      if (result.timeouts < timeoutsMax) throw error
    }
    const failure = isTimeout
      ? new StepError('result_timed_out', 'The database took too long to store the result, repeatedly.')
      : new StepError('output_invalid', 'The output cannot be stored.', { isPermanent: true })
    return call([{ fence, text: describeFailure({ id, fence }, failure) }], 0)
  }

  return {
    add: (result) => void results.push(result),
    get pending() {
      return results.length
    },
    async run(wanted) {
      const want = Math.min(wanted, wantMax)
      const batch = takeBatch()
      try {
        const { refused, steps, wake_in_ms: wakeInMs } = await call(batch, want)
        retryMs = 0
        wantMax = Math.min(wantMax * 2, stepsMax)
        for (const { id, reason } of refused) logger.warn({ step: id, reason }, 'Result was refused')
        return { handedIn: batch.map(({ fence }) => fence), steps, isShort: steps.length < want, wakeInMs }
      } catch (error) {
        results = [...batch, ...results]
        // The answer may have been too large because of the many steps, so claim fewer.
        if (isTooMuch(error)) wantMax = Math.max(1, Math.floor(want / 2))
        retryMs = Math.min(Math.max(50, retryMs * 2), 1000)
        // The pool has logged once why the database cannot be reached.
        const level = isAway(error) ? 'debug' : 'warn'
        logger[level]({ reason: (error as Error).message, retry_in_ms: retryMs }, 'Results could not be handed in')
        await sleep(pauseAfter(error, retryMs))
        return undefined
      }
    },
    async flush() {
      while (results.length > 0) await call(takeBatch(), 0)
    },
  }
}

/** Whether Postgres cannot store a value or a call is too large: data (22), limits (54), statement timeout (57014). */
function isTooMuch(error: unknown): boolean {
  return /^(22|54|57014$)/.test(codeOf(error))
}

function codeOf(error: unknown): string {
  return ((error as Error).cause as { code?: string } | undefined)?.code ?? ''
}
