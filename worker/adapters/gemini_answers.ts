import { ApiError } from '@google/genai'
import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { describeIssues } from '../shared/describe_issues.ts'

// Interprets Gemini's answers: checks their form, and says why one failed and whether another attempt may succeed.

/** The cost of a call, in the form that is stored with the job. */
export type GeminiUsage = { model: string; input_tokens: number; output_tokens: number }

/** The delay when Gemini is busy and does not say for how long. */
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
  done: z.boolean().optional(),
  error: z.object({ message: z.string().optional(), code: z.number().optional() }).optional(),
  response: z
    .object({
      generatedVideos: z
        .array(z.object({ video: z.object({ uri: z.url({ protocol: /^https?$/ }) }).optional() }))
        .optional(),
      raiMediaFilteredReasons: z.array(z.string()).optional(),
    })
    .optional(),
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
  if (finishReason === 'MAX_TOKENS') {
    throw permanent('answer_truncated', 'The answer is longer than the model allows. Request less text.')
  }
  // Permanent, because the same prompt gets the same refusal.
  if (finishReason !== 'STOP') {
    throw permanent(
      'provider_refused',
      `Gemini refuses to answer: ${inWords(finishReason)}. Change the text or the prompt.`,
    )
  }
  return {
    parts: candidate.content?.parts ?? [],
    usage: {
      model,
      input_tokens: cost?.promptTokenCount ?? 0,
      output_tokens: (cost?.candidatesTokenCount ?? 0) + (cost?.thoughtsTokenCount ?? 0),
    },
  }
}

const inWords = (reason: string) => reason.toLowerCase().replaceAll('_', ' ').slice(0, 100)

/** Parses an answer. A failure is not permanent, because the next attempt may get a valid answer. */
export function readJson<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw unreadable('it is not JSON', cause)
  }
  return check(schema, value)
}

export function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw unreadable(describeIssues(parsed.error), parsed.error)
}

/** Turns an error of a call into a StepError with its reason; permanent where another attempt would fail, too. */
export function explain(error: unknown): StepError {
  if (error instanceof StepError) return error
  // The SDK throws other errors when an answer has an unknown form.
  if (!(error instanceof ApiError)) return unreadable('its form is unknown', error)
  const { status } = error
  const said = readRefusal(error.message)
  if (status === 429) {
    return new StepError('provider_busy', 'Gemini accepts no more requests at the moment.', {
      cause: error,
      retryInMs: said.retryInMs ?? busyMs,
    })
  }
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

/** Gemini keeps operations and their files for some days only. Afterwards it answers 403, 404 or 410. */
export function notLost(error: unknown): never {
  if (error instanceof ApiError && [403, 404, 410].includes(error.status)) {
    throw new StepError('video_failed', 'Gemini has lost the video.', { cause: error })
  }
  throw error
}

function readRefusal(text: string): { message: string; isKeyInvalid?: boolean; retryInMs?: number } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // For example the page of a proxy. The status says enough.
    return { message: 'it gave no reason' }
  }
  const parsed = refusals.safeParse(value)
  if (!parsed.success) return { message: 'it gave no reason' }
  const { message, details = [] } = parsed.data.error
  const delay = details.find((detail) => String(detail['@type']).endsWith('google.rpc.RetryInfo'))?.retryDelay
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(String(delay))?.[1] ?? 0)
  return {
    message: message?.slice(0, 500) ?? 'it gave no reason',
    isKeyInvalid: details.some(({ reason }) => reason === 'API_KEY_INVALID'),
    // With less than a second a step would use up all its attempts in a moment. The upper limit bounds the wait.
    ...(seconds >= 1 && { retryInMs: Math.ceil(Math.min(seconds, retryMaxSeconds) * 1000) }),
  }
}

export function unreadable(reason: string, cause?: unknown): StepError {
  return new StepError('provider_answer_invalid', `Gemini’s answer cannot be used: ${reason}.`, { cause })
}

export function permanent(slug: string, message: string, cause?: unknown): StepError {
  return new StepError(slug, message, { isPermanent: true, cause })
}
