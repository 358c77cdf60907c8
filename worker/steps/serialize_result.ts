import { Reschedule, StepError, WithChildren } from './outcome.ts'

/** Serializes a result for `worker.exchange_steps`; one that Postgres could not store fails for good. */
export function describeResult(
  step: { id: number; fence: number; max_output_bytes: number },
  result: unknown,
  progress = 0,
): string {
  const { id, fence, max_output_bytes: max } = step
  const fields =
    result instanceof Reschedule
      ? { outcome: 'rescheduled', state: result.state, retry_in_ms: toDelay(result.delayMs), progress }
      : result instanceof WithChildren
        ? { outcome: 'completed', output: result.output, children: result.children }
        : { outcome: 'completed', output: result }
  try {
    const text = JSON.stringify({ id, fence, ...fields })
    // Before it is sent: what is far too large, Postgres could not even read.
    if (text.length > max) {
      const bytes = Buffer.byteLength(JSON.stringify('output' in fields ? (fields.output ?? null) : null))
      if (bytes > max) {
        const message = `The output has ${bytes} bytes; ${max} are allowed.`
        return describeFailure(step, new StepError('output_too_large', message, { isPermanent: true }))
      }
    }
    // The character that jsonb cannot hold, and halves of a surrogate pair: JSON.stringify writes both as escapes.
    if (!/(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/.test(text)) return text
    return describeFailure(step, unstorable('It holds a character that cannot be stored.'))
  } catch (cause) {
    return describeFailure(step, unstorable(`It is no JSON: ${(cause as Error).message}`))
  }
}

/** Serializes a failure. Of an error that nobody foresaw, the message. */
export function describeFailure({ id, fence }: { id: number; fence: number }, error: unknown): string {
  const known = error instanceof StepError ? error : undefined
  return JSON.stringify({
    id,
    fence,
    outcome: 'failed',
    // Whatever a handler puts there: a failure must always be one that Postgres takes.
    error: {
      slug: /^[a-z][a-z0-9_]{0,79}$/.test(known?.slug ?? '') ? known?.slug : 'handler_failed',
      message: toPlainText(error),
    },
    is_permanent: known?.isPermanent === true,
    retry_in_ms: known?.retryInMs === undefined ? undefined : toDelay(known.retryInMs),
  })
}

/** Serializes that a step is given back, uncounted; with a delay, that this worker cannot run it now. */
export function describeReturn({ id, fence }: { id: number; fence: number }, delayMs?: number): string {
  if (delayMs === undefined) return JSON.stringify({ id, fence, outcome: 'returned' })
  return JSON.stringify({ id, fence, outcome: 'rescheduled', retry_in_ms: delayMs })
}

function unstorable(reason: string): StepError {
  return new StepError('output_invalid', `The output cannot be stored. ${reason}`, { isPermanent: true })
}

/** Whole milliseconds, a day at most, as SQL has it. */
function toDelay(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.round(Math.min(Math.max(ms, 0), 86_400_000))
}

/** Whatever was thrown: it may be no error, and hold anything. */
function toPlainText(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : error
    return String(message).replaceAll('\u0000', '').slice(0, 2000).toWellFormed()
  } catch {
    return 'The handler threw something that cannot be read.'
  }
}
