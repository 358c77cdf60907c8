import { Reschedule, StepError, WithChildren } from './define_handler.ts'

/** Serializes a result for `worker.exchange_steps`; one that Postgres could not store fails for good. */
export function describeResult(step: { id: number; fence: number }, result: unknown): string {
  const { id, fence } = step
  const fields =
    result instanceof Reschedule
      ? { outcome: 'rescheduled', state: result.state, retry_in_ms: Math.max(0, Math.round(result.delayMs)) }
      : result instanceof WithChildren
        ? { outcome: 'completed', output: result.output, children: result.children }
        : { outcome: 'completed', output: result }
  try {
    const text = JSON.stringify({ id, fence, ...fields })
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
    error: { slug: known?.slug ?? 'handler_failed', message: toPlainText(error) },
    is_permanent: known?.isPermanent ?? false,
    retry_in_ms: known?.retryInMs === undefined ? undefined : Math.max(0, Math.round(known.retryInMs)),
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

function toPlainText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replaceAll('\u0000', '').slice(0, 2000).toWellFormed()
}
