import { ApiError } from '@google/genai'
import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { describeIssues } from '../shared/describe_issues.ts'
import { findJson } from './find_json.ts'

// Interprets Gemini's answers: checks their form, and says why one failed and whether another attempt may succeed.

/** The cost of a call, in the form that is stored with the job. */
export type GeminiUsage = { model: string; input_tokens: number; output_tokens: number }

/** The first delay when Gemini is busy and does not say for how long. */
const busyMs = 5000
const retryMaxSeconds = 600

/** Never rejects an answer because of its token counts, because the answer is already paid for. */
const tokens = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER).transform(Math.round).catch(0)

const answers = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({
            parts: z
              .array(
                z.object({
                  text: z.string().nullish(),
                  thought: z.boolean().nullish(),
                  inlineData: z.object({ mimeType: z.string(), data: z.base64() }).nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finishReason: z.string().nullish(),
      }),
    )
    .nullish(),
  promptFeedback: z.object({ blockReason: z.string().nullish() }).nullish(),
  usageMetadata: z
    .object({
      promptTokenCount: tokens,
      candidatesTokenCount: tokens,
      thoughtsTokenCount: tokens,
    })
    .optional()
    .catch(undefined),
})

export const operations = z.object({
  name: z.string().min(1),
  done: z.boolean().nullish(),
  error: z.object({ message: z.string().nullish(), code: z.number().nullish() }).nullish(),
  response: z
    .object({
      generatedVideos: z
        .array(z.object({ video: z.object({ uri: z.url({ protocol: /^https?$/ }).nullish() }).nullish() }))
        .nullish(),
      raiMediaFilteredCount: z.number().nullish(),
      raiMediaFilteredReasons: z.array(z.string()).nullish(),
    })
    .nullish(),
})

/** A quota that is spent, as google.rpc.QuotaFailure lists it. */
const violation = z.object({
  quotaId: z.string().catch(''),
  quotaValue: z.coerce.string().optional().catch(undefined),
  quotaDimensions: z.object({ model: z.string().optional() }).optional().catch(undefined),
})

/** Gemini's own error, which is inside the message of the SDK's ApiError. */
const refusals = z.object({
  error: z.object({
    message: z.string().optional(),
    details: z
      .array(
        z.looseObject({
          '@type': z.unknown().optional(),
          reason: z.unknown().optional(),
          retryDelay: z.unknown().optional(),
          violations: z.array(violation).optional().catch(undefined),
        }),
      )
      .optional(),
  }),
})

export type Part = {
  text?: string | null | undefined
  thought?: boolean | null | undefined
  inlineData?: { mimeType: string; data: string } | null | undefined
}

/** Returns the parts of an answer and its cost; throws when Gemini refused, or cut the answer off. */
export function readAnswer(model: string, answer: unknown): { parts: Part[]; usage: GeminiUsage } {
  const { candidates, promptFeedback, usageMetadata: cost } = check(answers, answer)
  if (promptFeedback?.blockReason) {
    throw permanent(
      'prompt_blocked',
      `Gemini refuses the prompt: ${inWords(promptFeedback.blockReason)}. Change the prompt.`,
    )
  }
  const [candidate] = candidates ?? []
  if (candidate === undefined) throw unreadable('it is empty')
  const finishReason = candidate.finishReason ?? 'STOP'
  if (policies.has(finishReason)) {
    throw permanent(
      'provider_refused',
      `Gemini refuses to answer: ${inWords(finishReason)}. Change the text or the prompt.`,
    )
  }
  // A loop of the model, mostly. The same request often gets a whole answer the next time.
  if (finishReason === 'MAX_TOKENS') {
    throw new StepError('answer_truncated', 'The answer is longer than the model allows. Request less text.')
  }
  if (finishReason !== 'STOP') throw unreadable(`it ended with “${inWords(finishReason)}”`)
  return {
    parts: candidate.content?.parts ?? [],
    usage: {
      model,
      input_tokens: cost?.promptTokenCount ?? 0,
      output_tokens: (cost?.candidatesTokenCount ?? 0) + (cost?.thoughtsTokenCount ?? 0),
    },
  }
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
  if (!(error instanceof ApiError)) return unreadable('its form is unknown', error)
  const { status } = error
  const said = readRefusal(error.message)
  if (status === 429) return explainQuota(said, model, error)
  if ([408, 500, 502, 503, 504].includes(status)) {
    return new StepError('provider_unavailable', `Gemini does not answer at the moment (${status}).`, {
      cause: error,
      ...(said.retryInMs !== undefined && { retryInMs: said.retryInMs }),
    })
  }
  if (status === 401 || status === 403 || said.isKeyInvalid) {
    return permanent('provider_key_refused', 'Gemini refuses the key of this server.', error)
  }
  if (status === 404)
    return permanent('provider_model_unknown', `Gemini does not know the model: ${said.message}`, error)
  return permanent('provider_refused', `Gemini refuses the request (${status}): ${said.message}`, error)
}

/** Says which quota a 429 means: one that this server does not have, the quota of a day, or that of a minute. */
function explainQuota(said: Refusal, asked: string | undefined, cause: ApiError): StepError {
  const missing = said.violations.find(({ quotaValue }) => quotaValue === '0')
  if (missing !== undefined || /\blimit: 0\b/.test(said.message)) {
    const model = missing?.quotaDimensions?.model ?? asked ?? 'this model'
    return permanent(
      'provider_quota_missing',
      `The Gemini account of this server has no quota for ${model}. Use another model, or tell the operator.`,
      cause,
    )
  }
  if (said.violations.some(({ quotaId }) => quotaId.includes('PerDay'))) {
    return new StepError(
      'provider_day_spent',
      'The Gemini account of this server has used up its quota of the day. Steps of this kind continue tomorrow.',
      { cause, dayEndsInMs: findDayEndInMs(Date.now()) },
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

/** Returns in how many milliseconds Gemini's quotas of the day begin again: at midnight, Pacific time. */
export function findDayEndInMs(nowMs: number): number {
  const day = 86_400_000
  const sinceMidnight = (ms: number) => {
    const parts = Object.fromEntries(pacificTime.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
    return (((parts['hour'] ?? 0) * 60 + (parts['minute'] ?? 0)) * 60 + (parts['second'] ?? 0)) * 1000
  }
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
    error.cause instanceof ApiError &&
    error.cause.status === 400
  )
}

/** Adds what the owner of the step can do to the refusal of a request whose answer has a schema. */
export function askForLess({ slug, message, cause }: StepError): StepError {
  return permanent(slug, `${message} Ask for less in one request, such as fewer scenes or episodes.`, cause)
}

/**
 * Explains the failure of an operation by its code, one of google.rpc.Code: after 1 cancelled, 2 unknown, 4 deadline exceeded,
 * 8 resource exhausted, 10 aborted, 13 internal and 14 unavailable another operation may succeed.
 */
export function explainVideo(error: NonNullable<z.output<typeof operations>['error']>): StepError {
  const reason = `Gemini could not make the video: ${error.message?.slice(0, 500) ?? 'it gave no reason.'}`
  if ([0, 1, 2, 4, 8, 10, 13, 14].includes(error.code ?? 0))
    return new StepError('video_failed', reason, { dropsState: true })
  return ended('provider_refused', reason)
}

/** Gemini keeps operations and their files for some days only. Afterwards it answers 403, 404 or 410. */
export function notLost(error: unknown): never {
  if (error instanceof ApiError && [403, 404, 410].includes(error.status)) {
    throw new StepError('video_failed', 'Gemini has lost the video.', { dropsState: true, cause: error })
  }
  throw error
}

type Refusal = {
  message: string
  isKeyInvalid: boolean
  violations: z.output<typeof violation>[]
  retryInMs?: number
}

function readRefusal(text: string): Refusal {
  const none = { message: 'it gave no reason.', isKeyInvalid: false, violations: [] }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // For example the page of a proxy. The status says enough.
    return none
  }
  const parsed = refusals.safeParse(value)
  if (!parsed.success) return none
  const { message, details = [] } = parsed.data.error
  const delay = details.find((detail) => String(detail['@type']).endsWith('google.rpc.RetryInfo'))?.retryDelay
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(String(delay))?.[1] ?? 0)
  return {
    message: message?.slice(0, 500) ?? none.message,
    isKeyInvalid: details.some(({ reason }) => reason === 'API_KEY_INVALID'),
    violations: details.flatMap(({ violations = [] }) => violations),
    // With less than a second a step would use up all its attempts in a moment. The upper limit bounds the wait.
    ...(seconds >= 1 && { retryInMs: Math.ceil(Math.min(seconds, retryMaxSeconds) * 1000) }),
  }
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
