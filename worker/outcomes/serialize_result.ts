import { toText } from '../shared/serialize_error.ts'
import { findUnstorable, findUnstorableText } from './find_unstorable.ts'
import { hideAddresses } from './hide_addresses.ts'
import { Reschedule, StepError, WithChildren } from './outcome.ts'

/** A rescheduled step may wait for a year, a leap year included. */
const rescheduleMaxMs = 366 * 86_400_000
const delayMaxMs = 86_400_000
/** A day of a provider may have 25 hours, when its clocks change. */
const dayMaxMs = 25 * 3_600_000

/** Serializes a result for `worker.exchange_work`. Throws a permanent StepError if Postgres cannot store the result. */
export function describeResult(
  step: { id: number; fence: number; max_output_bytes: number },
  result: unknown,
  progress = 0,
): string {
  const { id, fence, max_output_bytes: max } = step
  if (result instanceof Reschedule) {
    const { state } = result
    const retry_in_ms = toDelay(result.delayMs, rescheduleMaxMs)
    const resets_counts = result.resetsCounts ? true : undefined
    return serialize({ id, fence, outcome: 'rescheduled', state, retry_in_ms, progress, resets_counts }, { state })
  }
  const parts = result instanceof WithChildren ? { ...result } : { output: result }
  const text = serialize({ id, fence, outcome: 'completed', ...parts }, parts)
  // Checked before sending, because Postgres cannot even parse a result that is far too large.
  if (text.length > max) {
    const bytes = Buffer.byteLength(JSON.stringify(parts.output))
    if (bytes > max) {
      const message = `The output has ${bytes} bytes. At most ${max} bytes are allowed.`
      throw new StepError('output_too_large', message, { isPermanent: true })
    }
  }
  return text
}

/** The message for owners if an error is not a StepError. The log has the error, with the id of the step. */
const unexpected =
  'The handler of this step failed unexpectedly. Retry the run. If the step fails again, tell the operator, who finds the reason in the log of the worker, under the id of the step.'

/**
 * Serializes a failure for the owner of the step and for programs. A StepError keeps its slug and its sentence; every other
 * thrown value gets the slug handler_failed and a constant sentence. Never throws.
 */
export function describeFailure({ id, fence }: { id: number; fence: number }, error: unknown): string {
  const { retryInMs, retryGrows, dayEndsInMs, dropsState, ...failure } = readStepError(error)
  const retry_in_ms = retryInMs === undefined ? undefined : toDelay(retryInMs, delayMaxMs)
  const day_ends_in_ms = dayEndsInMs === undefined ? undefined : toDelay(dayEndsInMs, dayMaxMs)
  // Without the property, the database keeps the state.
  const parts = {
    ...failure,
    retry_in_ms,
    ...(retryGrows && { retry_grows: true }),
    day_ends_in_ms,
    ...(dropsState && { state: null }),
  }
  return JSON.stringify({ id, fence, outcome: 'failed', ...parts })
}

/**
 * Serializes the return of a step, which counts neither a failure nor a loss. `begun` says that the handler was called. No
 * worker can claim the step before `delayMs`.
 */
export function describeReturn(
  { id, fence }: { id: number; fence: number },
  { begun, delayMs }: { begun?: true; delayMs?: number } = {},
): string {
  return JSON.stringify({ id, fence, outcome: 'returned', begun, retry_in_ms: delayMs })
}

/** Serializes the failure of a step whose handler caused an accident. The next attempt of the step runs alone. */
export function describeCrash({ id, fence }: { id: number; fence: number }, message: string): string {
  return JSON.stringify({ id, fence, outcome: 'failed', crashed: true, error: { slug: 'handler_crashed', message } })
}

/** Serializes the loss of a step that may be the reason why its process ends. Losses are counted apart from failures. */
export function describeLoss({ id, fence }: { id: number; fence: number }): string {
  const message =
    'The worker ended because of an error in one of the steps that it ran, and could not tell in which. If this ' +
    'happens again, see the log of the worker.'
  return JSON.stringify({ id, fence, outcome: 'lost', error: { slug: 'worker_lost', message } })
}

/** Serializes a result whose parts come from a handler, and are checked. */
function serialize(result: object, parts: Record<string, unknown>): string {
  try {
    refuse(parts, findUnstorable)
    const text = JSON.stringify(result)
    // jsonb cannot hold \u0000 or half a surrogate pair. JSON.stringify writes both as escapes.
    if (!text.includes('\\u') || !/(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/.test(text)) return text
    refuse(parts, findUnstorableText)
    throw new Error('A text changed while it was read.')
  } catch (cause) {
    if (cause instanceof StepError) throw cause
    // A getter, a proxy or toJSON may throw anything.
    throw unstorable('JSON.stringify cannot read the result. Return plain objects.', cause)
  }
}

function refuse(parts: Record<string, unknown>, find: typeof findUnstorable): void {
  for (const name in parts) {
    const fault = find(parts[name], name)
    if (fault !== undefined) throw unstorable(fault)
  }
}

function unstorable(reason: string, cause?: unknown): StepError {
  return new StepError('output_invalid', `The result cannot be stored: ${reason}`, { isPermanent: true, cause })
}

/** Rounds a delay to whole milliseconds, in the range that SQL accepts. */
function toDelay(ms: number, maxMs: number): number {
  return Number.isNaN(ms) ? 0 : Math.round(Math.min(Math.max(ms, 0), maxMs))
}

/** Reads a failure in a form that Postgres can store. A handler may put any value into an error, and a proxy may throw. */
function readStepError(error: unknown): {
  error: { slug: string; message: string }
  is_permanent: boolean
  retryInMs?: number | undefined
  retryGrows?: boolean
  dayEndsInMs?: number | undefined
  dropsState?: boolean
} {
  try {
    if (error instanceof StepError) {
      const { isPermanent, retryInMs, retryGrows, dayEndsInMs, dropsState } = error
      return {
        error: {
          slug: /^[a-z][a-z0-9_]{0,79}$/.test(error.slug) ? error.slug : 'handler_failed',
          message: hideAddresses(toText(error.message)),
        },
        is_permanent: isPermanent === true,
        // Nothing is tried again after a permanent failure, so the failure must not pause the lane.
        retryInMs: isPermanent === true ? undefined : readMs(retryInMs),
        retryGrows: isPermanent !== true && retryGrows === true,
        dayEndsInMs: isPermanent === true ? undefined : readMs(dayEndsInMs),
        dropsState: dropsState === true,
      }
    }
  } catch {
    // The logger has described the value as far as it can be read.
  }
  return { error: { slug: 'handler_failed', message: unexpected }, is_permanent: false }
}

/** Reads a delay. NaN and undefined are none. */
function readMs(ms: unknown): number | undefined {
  return Number.isNaN(Number(ms)) ? undefined : Number(ms)
}
