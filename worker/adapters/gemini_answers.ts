import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { describeIssues } from '../shared/describe_issues.ts'
import { findJson } from './find_json.ts'
import { type Refusal, RefusedError, readRefusal } from './gemini_refusals.ts'

// Interprets Gemini's answers: checks their form, and says why one failed and whether another attempt may succeed.

/** The cost of a call, in the form that is stored with the job. */
export type GeminiUsage = { model: string; input_tokens: number; output_tokens: number }

/** The first delay when Gemini is busy and does not say for how long. */
const busyMs = 5000

/**
 * Never rejects an answer because of its token counts, because the answer is already paid for. Proxies write counts as texts,
 * as JSON does with 64-bit integers.
 */
const tokens = z
  .preprocess(
    (count) => (typeof count === 'string' && /^\d+$/.test(count) ? Number(count) : count),
    z.number().nonnegative().max(Number.MAX_SAFE_INTEGER).transform(Math.round),
  )
  .catch(0)

/** A file in an answer. Its bytes decide its type, so `mimeType` is not read. */
const file = z
  .object({ data: z.string().min(1) })
  .optional()
  .catch(undefined)

/** A part, or a field of it, of a form that is not used is left out, because the other parts are paid for, too. */
const part = z
  .object({
    text: z.string().optional().catch(undefined),
    thought: z.boolean().optional().catch(undefined),
    inlineData: file,
    inline_data: file,
  })
  .transform(({ inlineData, inline_data, ...one }): Part => ({ ...one, data: (inlineData ?? inline_data)?.data }))
  .catch({})

const candidate = z
  .object({
    content: z
      .object({ parts: z.array(part).catch([]) })
      .nullish()
      .catch(undefined),
    finishReason: z
      .union([z.string(), z.number().transform(String)])
      .nullish()
      .catch('UNREADABLE'),
  })
  .nullable()
  .catch(null)

const answers = z.object({
  candidates: z.array(candidate).nullish(),
  promptFeedback: z
    .object({ blockReason: z.string().nullish(), blockReasonMessage: z.string().nullish().catch(undefined) })
    .nullish()
    .catch(undefined),
  usageMetadata: z
    .object({
      promptTokenCount: tokens,
      candidatesTokenCount: tokens,
      thoughtsTokenCount: tokens,
    })
    .optional()
    .catch(undefined),
})

/** A refusal by a policy of Gemini. The same request gets the same refusal. */
export class BlockedError extends StepError {
  /** Gemini's word for the policy, such as PROHIBITED_CONTENT. */
  readonly reason: string
  constructor(slug: string, message: string, reason: string) {
    super(slug, message, { isPermanent: true })
    this.reason = reason
  }
}

/** A text, or a file in base64. */
export type Part = {
  text?: string | undefined
  thought?: boolean | undefined
  data?: string | undefined
}

/** Returns the parts of each finished candidate, and the cost. Throws if Gemini refused or cut off every candidate. */
export function readAnswer(model: string, answer: unknown): { answers: Part[][]; usage: GeminiUsage } {
  const { candidates, promptFeedback, usageMetadata: cost } = check(answers, answer)
  const given = (candidates ?? []).filter((one) => one !== null)
  const finished = given.filter(({ finishReason }) => readReason(finishReason) === 'STOP')
  const parts = finished.flatMap(({ content }) => (content?.parts.length ? [content.parts] : []))
  if (parts.length === 0) throw explainNothing(given[0], promptFeedback ?? {})
  return {
    answers: parts,
    usage: {
      model,
      input_tokens: cost?.promptTokenCount ?? 0,
      output_tokens: (cost?.candidatesTokenCount ?? 0) + (cost?.thoughtsTokenCount ?? 0),
    },
  }
}

/** Says why an answer has no finished candidate with parts. */
function explainNothing(
  first: z.output<typeof candidate> | undefined,
  feedback: { blockReason?: string | null | undefined; blockReasonMessage?: string | null | undefined },
): StepError {
  const blocked = feedback.blockReason?.toUpperCase() ?? ''
  if (blocked !== '' && blocked !== 'BLOCK_REASON_UNSPECIFIED') {
    const reason = feedback.blockReasonMessage?.slice(0, 300).replace(/[.\s]+$/, '') || inWords(blocked)
    return new BlockedError('prompt_blocked', `Gemini refuses the prompt: ${reason}. Change the prompt.`, blocked)
  }
  if (!first) return unreadable('it is empty')
  const finishReason = readReason(first.finishReason)
  if (policies.has(finishReason)) {
    return new BlockedError(
      'provider_refused',
      `Gemini refuses to answer: ${inWords(finishReason)}. Change the text or the prompt.`,
      finishReason,
    )
  }
  // A loop of the model, mostly. The same request often gets a whole answer the next time.
  if (finishReason === 'MAX_TOKENS') {
    return new StepError('answer_truncated', 'The answer is longer than the model allows. Request less text.')
  }
  return unreadable(finishReason === 'STOP' ? 'it has no parts' : `it ended with “${inWords(finishReason)}”`)
}

/** Without a reason, a candidate is finished. */
function readReason(finishReason: string | null | undefined): string {
  return finishReason?.toUpperCase() || 'STOP'
}

/** The finish reasons that name a policy. The same prompt gets the same refusal; every other reason may be chance. */
const policies = new Set([
  'SAFETY',
  'PROHIBITED_CONTENT',
  'BLOCKLIST',
  'SPII',
  'RECITATION',
  'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT',
  'IMAGE_RECITATION',
])

const inWords = (reason: string) => reason.toLowerCase().replaceAll('_', ' ').slice(0, 100)

/**
 * Returns the first JSON value in a text that matches the schema; see {@link findJson}. A failure is not permanent, because the
 * next attempt may get a valid answer.
 */
export function readJson<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  let mismatch: z.ZodError | undefined
  const found = findJson(text, (value) => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return { value: parsed.data }
    mismatch ??= parsed.error
    return undefined
  })
  if (found !== undefined) return found.value
  if (mismatch === undefined) throw unreadable(text.trim() === '' ? 'it has no text' : 'it has no JSON')
  throw unreadable(describeIssues(mismatch), mismatch)
}

export function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw unreadable(describeIssues(parsed.error), parsed.error)
}

/** Turns an error of a call to a model into a StepError with its reason; permanent where another attempt would fail, too. */
export function explain(error: unknown, model?: string): StepError {
  if (error instanceof StepError) return error
  // The SDK throws other errors when an answer has an unknown form.
  if (!(error instanceof RefusedError)) return unreadable('its form is unknown', error)
  const { status } = error
  // For example 304, which only a proxy sends.
  if (status < 400) return unreadable(`its status is ${status}`, error)
  const said = readRefusal(error)
  if (status === 429) return explainQuota(said, model, error)
  if (isTransient(status)) {
    return new StepError('provider_unavailable', `Gemini does not answer at the moment (${status}).`, {
      cause: error,
      ...(said.retryInMs !== undefined && { retryInMs: said.retryInMs }),
    })
  }
  if (status === 401 || status === 403 || said.isKeyInvalid) {
    return permanent('provider_key_refused', 'Gemini refuses the key of this server. Tell the operator.', error)
  }
  if (status === 404)
    return permanent('provider_model_unknown', `Gemini does not know the model: ${said.message}`, error)
  return permanent('provider_refused', `Gemini refuses the request (${status}): ${said.message}`, error)
}

/**
 * Whether the same request may succeed later: timeouts, conflicts, requests that were cancelled on the way (499), and every
 * failure of a server or of a proxy (520 to 529), but not a method that the server does not implement (501).
 */
function isTransient(status: number): boolean {
  return [408, 409, 425, 499].includes(status) || (status >= 500 && status !== 501)
}

/** Says which quota a 429 means: one that this server does not have, the quota of a day, or that of a minute. */
function explainQuota(said: Refusal, asked: string | undefined, cause: RefusedError): StepError {
  const missing = said.quotas.find(({ value }) => value !== '' && Number(value) === 0)
  if (missing !== undefined || said.missingModel !== undefined) {
    const model = missing?.model ?? (said.missingModel || asked || 'this model')
    return permanent(
      'provider_quota_missing',
      `The Gemini account of this server has no quota for ${model}. Use another model, or tell the operator.`,
      cause,
    )
  }
  if (said.quotas.some(({ name }) => /per[_ ]?day|daily/i.test(name))) {
    return new StepError(
      'provider_day_spent',
      'The Gemini account of this server has used up its quota of the day. Steps of this kind continue tomorrow.',
      { cause, dayEndsInMs: findRestInMs(said.nowMs) },
    )
  }
  return new StepError('provider_busy', 'Gemini accepts no more requests at the moment.', {
    cause,
    ...(said.retryInMs === undefined ? { retryInMs: busyMs, retryGrows: true } : { retryInMs: said.retryInMs }),
  })
}

const pacificTime = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/Los_Angeles',
  hourCycle: 'h23',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
})

/**
 * Returns how long to rest when the quota of a day is spent: until that day ends. In the first minutes of a day the quota of
 * the day before may still count, because clocks differ. A rest until the next midnight would then lose a whole day.
 */
function findRestInMs(nowMs: number): number {
  return sinceMidnight(nowMs) < dayBeginsMs ? dayBeginsMs : findDayEndInMs(nowMs)
}

const dayBeginsMs = 300_000

function sinceMidnight(ms: number): number {
  const parts = Object.fromEntries(pacificTime.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
  return (((parts['hour'] ?? 0) * 60 + (parts['minute'] ?? 0)) * 60 + (parts['second'] ?? 0)) * 1000
}

/** Returns in how many milliseconds Gemini's quotas of the day begin again: at midnight, Pacific time. */
export function findDayEndInMs(nowMs: number): number {
  const day = 86_400_000
  const left = day - sinceMidnight(nowMs) - (nowMs % 1000)
  // On a day with 23 or 25 hours the clock shows another time than midnight then.
  const off = sinceMidnight(nowMs + left)
  return off > day / 2 ? left + day - off : left - off
}

/** Whether a call failed because Gemini refused the request as malformed, as it does with a schema of too many states. */
export function isMalformed(error: unknown): error is StepError {
  return (
    error instanceof StepError &&
    error.slug === 'provider_refused' &&
    error.cause instanceof RefusedError &&
    error.cause.status === 400
  )
}

/** Adds what the owner of the step can do to the refusal of a request whose answer has a schema. */
export function askForLess(error: StepError): StepError {
  const { slug, message, cause } = error
  // The server is refused, not the request: for example its country, or an account without billing.
  if (cause instanceof RefusedError && readRefusal(cause).status === 'FAILED_PRECONDITION') return error
  return permanent(slug, `${message} Ask for less in one request, such as fewer scenes or episodes.`, cause)
}

/**
 * Gemini keeps operations and their files for some days only. Afterwards it answers 403, 404 or 410. A 403 because of the key
 * or the account says nothing about the operation, so the operation continues when the operator has mended them.
 */
export function notLost(error: unknown): never {
  if (error instanceof RefusedError && [403, 404, 410].includes(error.status) && !readRefusal(error).isServerRefused) {
    throw new StepError('video_failed', 'Gemini has lost the video.', { dropsState: true, cause: error })
  }
  throw error
}

export function unreadable(reason: string, cause?: unknown): StepError {
  return new StepError('provider_answer_invalid', `Gemini’s answer cannot be used: ${reason}.`, { cause })
}

/** A permanent failure of an operation that cannot continue, so that a retry begins another one. */
export function ended(slug: string, message: string): StepError {
  return new StepError(slug, message, { isPermanent: true, dropsState: true })
}

export function permanent(slug: string, message: string, cause?: unknown): StepError {
  return new StepError(slug, message, { isPermanent: true, cause })
}
