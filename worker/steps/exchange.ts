import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { StepError } from '../outcomes/outcome.ts'
import { describeFailure } from '../outcomes/serialize_result.ts'
import { isUnanswered } from '../shared/client.ts'
import { isAway, pauseAfter } from '../shared/connection_gate.ts'
import type { Db } from '../shared/db.ts'
import type { ClaimedStep } from './claim.ts'
import { createLateResults } from './late_results.ts'

/** The result of a step, as text for the database, and the owner of its run. */
export type Result = { fence: number; text: string; ownerId: string | null }

/** The outcome of one exchange. */
export type Exchanged = {
  /** Fences of the results that the database now has, accepted or refused. */
  handedIn: number[]
  /** Fences of the results that are late: `onHandedIn` names them when the database has them. */
  late: number[]
  /** The steps that this process has claimed. */
  steps: ClaimedStep[]
  /** Whether the database returned fewer steps than were asked for. */
  isShort: boolean
  /** If short: in how many milliseconds the next step is due; null if no step is queued. */
  wakeInMs: number | null
}

/** The transport between the pump and `worker.exchange_work`. */
export type Exchange = {
  /** Adds a result to the next batch. */
  add(result: Result): void
  /** How many results are not handed in yet, without the results of the running call and without late results. */
  readonly pending: number
  /** How many results are late, because another transaction has locked their runs or other rows that they change. */
  readonly late: number
  /**
   * Hands in a batch of results and claims up to `want` steps, in one transaction. If the call fails, keeps the batch for the
   * next call, waits a moment and returns undefined. Only one call may run at a time.
   */
  run(want: number): Promise<Exchanged | undefined>
}

type Refused = { index: number; id: number; reason: string }
type Answer = { refused: Refused[]; steps: ClaimedStep[]; wake_in_ms: number | null }
/** An answer that names the late results themselves. */
type Sorted = { refused: Refused[]; late: Pending[]; steps: ClaimedStep[]; wakeInMs: number | null }
type Pending = Result & { timeouts?: number }

const stepsMax = 500
const resultsMax = 500
const bytesMax = 4 * 2 ** 20
const timeoutsMax = 10
/** How long a batch waits for locked rows: longer than a batch of another worker takes, and short for the other results. */
const waitMs = 50
// A call on a connection whose packets are dropped is repeated after 10 s, a third of the lease: fences make that safe. A call
// that is slow gets more time with each attempt, at last more than the statement_timeout of role worker (30 s), because a
// call that Postgres ends for that reason is repeated in parts.
const firstTimeoutMs = 10_000
const longestTimeoutMs = 40_000

export function createExchange(options: {
  db: Db
  logger: Logger
  workerId: string
  types: string[]
  /** Called with the fences of late results that the database now has. */
  onHandedIn(fences: number[]): void
}): Exchange {
  const { db, logger, workerId, types, onHandedIn } = options
  let results: Pending[] = []
  let retryMs = 0
  let timeoutMs = firstTimeoutMs
  let wantMax = stepsMax
  const late = createLateResults({
    async handIn(all, longWaitMs) {
      const [batch] = splitBatch(all)
      try {
        const answer = await call(batch, 0, longWaitMs)
        logRefused(answer.refused)
        return { handedIn: batch.filter((result) => !answer.late.includes(result)) }
      } catch (error) {
        logFailure(error)
        throw error
      }
    },
    onHandedIn,
    logger,
  })

  async function call(batch: Pending[], want: number, longWaitMs = waitMs): Promise<Sorted> {
    try {
      const args = {
        worker_id: workerId,
        results: `[${batch.map(({ text }) => text).join(',')}]`,
        want,
        types,
        wait_ms: longWaitMs,
      }
      const limitMs = longWaitMs > waitMs ? timeoutMs + longWaitMs : timeoutMs
      const rows = await db.call<{ exchange_work: Answer }>('worker.exchange_work', args, { timeoutMs: limitMs })
      if (longWaitMs === waitMs) timeoutMs = firstTimeoutMs
      return sort(rows[0]?.exchange_work as Answer, batch)
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
  async function callInParts(batch: Pending[], want: number, error: unknown): Promise<Sorted> {
    if (want > 0) {
      const { refused, late } = await call(batch, 0)
      return { ...(await call([], want)), refused, late }
    }
    const [only, ...others] = batch
    if (only === undefined || others.length > 0) {
      const parts: Sorted[] = []
      for (const one of batch) parts.push(await call([one], 0))
      return {
        refused: parts.flatMap(({ refused }) => refused),
        late: parts.flatMap(({ late }) => late),
        steps: [],
        wakeInMs: null,
      }
    }
    return failAlone(only, error)
  }

  /** Hands in a failure instead of a result that Postgres cannot store. */
  async function failAlone(result: Pending, error: unknown): Promise<Sorted> {
    const handIn = async (text: string): Promise<Sorted> => {
      const answer = await call([{ ...result, text }], 0)
      return { ...answer, late: answer.late.length > 0 ? [result] : [] }
    }
    const { id, fence, outcome } = JSON.parse(result.text)
    if (outcome === 'failed') {
      logger.error({ step: id, err: error }, 'Result cannot be handed in')
      // Postgres refuses the failure, too. A loss counts, so that the step does not run without end.
      const refusal = { slug: 'result_refused', message: 'The database cannot store the result of this step.' }
      return handIn(JSON.stringify({ id, fence, outcome: 'lost', error: refusal }))
    }
    if (outcome === 'lost') return { refused: [], late: [], steps: [], wakeInMs: null }
    // A timeout says nothing about the result, so the result is kept and handed in again, ten times at most.
    const isTimeout = codeOf(error) === '57014'
    if (isTimeout) {
      result.timeouts = (result.timeouts ?? 0) + 1
      if (result.timeouts < timeoutsMax) throw error
    }
    const failure = isTimeout
      ? new StepError('result_timed_out', 'The database took too long to store the result, repeatedly.')
      : new StepError('output_invalid', 'The output cannot be stored.', { isPermanent: true })
    return handIn(describeFailure({ id, fence }, failure))
  }

  function logRefused(refused: Refused[]): void {
    for (const { id, reason } of refused) logger.warn({ step: id, reason }, 'Result was refused')
  }

  /** Logs a failed call. The pool has logged once why the database cannot be reached. */
  function logFailure(error: unknown, retry_in_ms?: number): void {
    const level = isAway(error) ? 'debug' : 'warn'
    logger[level]({ reason: (error as Error).message, retry_in_ms }, 'Results could not be handed in')
  }

  return {
    add: (result) => void results.push(result),
    get pending() {
      return results.length
    },
    get late() {
      return late.count
    },
    async run(wanted) {
      const want = Math.min(wanted, wantMax)
      const [batch, rest] = splitBatch(results)
      results = rest
      try {
        const answer = await call(batch, want)
        retryMs = 0
        wantMax = Math.min(wantMax * 2, stepsMax)
        logRefused(answer.refused)
        late.add(answer.late)
        const lateFences = answer.late.map(({ fence }) => fence)
        const fences = batch.map(({ fence }) => fence)
        return {
          handedIn: lateFences.length === 0 ? fences : fences.filter((fence) => !lateFences.includes(fence)),
          late: lateFences,
          steps: answer.steps,
          isShort: answer.steps.length < want,
          wakeInMs: answer.wakeInMs,
        }
      } catch (error) {
        results = [...batch, ...results]
        // The answer may have been too large because of the many steps, so claim fewer.
        if (isTooMuch(error)) wantMax = Math.max(1, Math.floor(want / 2))
        retryMs = Math.min(Math.max(50, retryMs * 2), 1000)
        logFailure(error, retryMs)
        await sleep(pauseAfter(error, retryMs))
        return undefined
      }
    },
  }
}

/** Splits off the results of the next call: the oldest, up to a number and a size, but at least one. */
function splitBatch(results: Pending[]): [Pending[], Pending[]] {
  let bytes = 0
  const fits = results.findIndex(({ text }, index) => {
    bytes += text.length
    return index === resultsMax || (index > 0 && bytes > bytesMax)
  })
  return fits === -1 ? [results, []] : [results.slice(0, fits), results.slice(fits)]
}

/** Separates the late results from those that the database refuses. */
function sort({ refused, steps, wake_in_ms: wakeInMs }: Answer, batch: Pending[]): Sorted {
  const late = refused.filter(({ reason }) => reason === 'run_busy')
  return {
    refused: late.length === 0 ? refused : refused.filter(({ reason }) => reason !== 'run_busy'),
    late: late.map(({ index }) => batch[index] as Pending),
    steps,
    wakeInMs,
  }
}

/** Whether Postgres cannot store a value or a call is too large: data (22), limits (54), statement timeout (57014). */
function isTooMuch(error: unknown): boolean {
  return /^(22|54|57014$)/.test(codeOf(error))
}

function codeOf(error: unknown): string {
  return ((error as Error).cause as { code?: string } | undefined)?.code ?? ''
}
