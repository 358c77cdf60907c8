import { findUnstorable, findUnstorableText } from './find_unstorable.ts'
import { Reschedule, StepError, WithChildren } from './outcome.ts'

/** Serializes a result for `worker.exchange_steps`. Throws a permanent StepError if Postgres cannot store the result. */
export function describeResult(
  step: { id: number; fence: number; max_output_bytes: number },
  result: unknown,
  progress = 0,
): string {
  const { id, fence, max_output_bytes: max } = step
  if (result instanceof Reschedule) {
    const { state } = result
    const retry_in_ms = toDelay(result.delayMs)
    return serialize({ id, fence, outcome: 'rescheduled', state, retry_in_ms, progress }, { state })
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

/** Serializes a failure. An error other than a StepError keeps its message and gets the slug handler_failed. */
export function describeFailure({ id, fence }: { id: number; fence: number }, error: unknown): string {
  const known = error instanceof StepError ? error : undefined
  return JSON.stringify({
    id,
    fence,
    outcome: 'failed',
    // A handler may put any value into the error, but Postgres must be able to store every failure.
    error: {
      slug: /^[a-z][a-z0-9_]{0,79}$/.test(known?.slug ?? '') ? known?.slug : 'handler_failed',
      message: toPlainText(error),
    },
    is_permanent: known?.isPermanent === true,
    retry_in_ms: known?.retryInMs === undefined ? undefined : toDelay(known.retryInMs),
  })
}

/** Serializes the return of a step to the queue, which counts no failure. A delay is how long no worker can claim the step. */
export function describeReturn({ id, fence }: { id: number; fence: number }, delayMs?: number): string {
  if (delayMs === undefined) return JSON.stringify({ id, fence, outcome: 'returned' })
  return JSON.stringify({ id, fence, outcome: 'rescheduled', retry_in_ms: delayMs })
}

/** Serializes the failure of a step whose handler would have ended the process. The step runs alone from now on. */
export function describeCrash({ id, fence }: { id: number; fence: number }, message: string): string {
  return JSON.stringify({ id, fence, outcome: 'failed', crashed: true, error: { slug: 'handler_crashed', message } })
}

/** Serializes the loss of a step that may be the reason why its process ends. A loss counts apart from failures. */
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

/** Rounds a delay to whole milliseconds, a day at most: the range that SQL accepts. */
function toDelay(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.round(Math.min(Math.max(ms, 0), 86_400_000))
}

/** Returns a text for any thrown value, also if the value is not an error. */
function toPlainText(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : error
    return String(message).replaceAll('\u0000', '').slice(0, 2000).toWellFormed()
  } catch {
    return 'The handler threw a value that cannot be converted to text.'
  }
}
