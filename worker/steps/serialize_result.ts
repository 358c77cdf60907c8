import { Reschedule, StepError, WithChildren } from './outcome.ts'

/** Serializes a result for `worker.exchange_steps`. A result that Postgres cannot store becomes a permanent failure. */
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
    // Checked before sending, because Postgres cannot even parse a result that is far too large.
    if (text.length > max) {
      const bytes = Buffer.byteLength(JSON.stringify('output' in fields ? (fields.output ?? null) : null))
      if (bytes > max) {
        const message = `The output has ${bytes} bytes. At most ${max} bytes are allowed.`
        return describeFailure(step, new StepError('output_too_large', message, { isPermanent: true }))
      }
    }
    // jsonb cannot hold \u0000 or half a surrogate pair. JSON.stringify writes both as escapes.
    if (!/(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/.test(text)) return text
    return describeFailure(step, unstorable('It has a \\u0000 or half a surrogate pair.'))
  } catch (cause) {
    return describeFailure(step, unstorable(`It is not JSON: ${(cause as Error).message}`))
  }
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

function unstorable(reason: string): StepError {
  return new StepError('output_invalid', `The output cannot be stored. ${reason}`, { isPermanent: true })
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
