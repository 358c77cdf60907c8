import { z } from 'zod'

// Reads the refusals of Gemini and of proxies before it: their bodies, which have many forms, and their headers.

/** An answer with an error status: its body, whose beginning is the message, and the headers that say when to retry. */
export class RefusedError extends Error {
  readonly status: number
  readonly body: string
  readonly retryAfter: string | null
  /** The time by the provider's clock, in milliseconds since 1970. */
  readonly nowMs: number
  constructor(status: number, body: string, headers: Headers) {
    super(body.slice(0, loggedMax))
    this.status = status
    this.body = body
    this.retryAfter = headers.get('retry-after')
    this.nowMs = Date.parse(headers.get('date') ?? '') || Date.now()
  }
}

/** The content of a refusal. */
export type Refusal = {
  message: string
  /** One of google.rpc.Code, such as FAILED_PRECONDITION, or an empty text. */
  status: string
  isKeyInvalid: boolean
  /** Whether the key, the account or the service is refused, not the request. */
  isServerRefused: boolean
  /** The quotas that are spent: `name` has the id and the description, `value` the limit. */
  quotas: { name: string; value: string; model: string | undefined }[]
  /** The model without any quota, as the message names it; empty if the message names none. */
  missingModel: string | undefined
  retryInMs: number | undefined
  nowMs: number
}

const retryMaxSeconds = 600
const messageMax = 500
const loggedMax = 20_000

// A value of a wrong form is left out, because the rest of a refusal still says what to do.
const details = z
  .array(
    z
      .object({
        '@type': z.string().catch(''),
        reason: z.string().catch(''),
        retryDelay: z.unknown().optional(),
        violations: z
          .array(
            z
              .object({
                quotaId: z.string().catch(''),
                description: z.string().catch(''),
                quotaValue: z.union([z.string(), z.number()]).transform(String).catch(''),
                quotaDimensions: z.object({ model: z.string().optional() }).catch({}),
              })
              .nullable()
              .catch(null),
          )
          .catch([]),
        metadata: z
          .object({ quota_limit: z.string().catch(''), quota_limit_value: z.string().catch('') })
          .catch({ quota_limit: '', quota_limit_value: '' }),
      })
      .nullable()
      .catch(null),
  )
  .catch([])
const none: z.output<typeof details> = []
const bodies = z.object({
  error: z.union([
    z.object({ message: z.string().catch(''), status: z.string().catch(''), details }),
    z.string().transform((message) => ({ message, status: '', details: none })),
  ]),
})

/** Reads a refusal. Never throws. */
export function readRefusal({ body, retryAfter, nowMs }: RefusedError): Refusal {
  const { message, status, details } = readBody(body)
  const known = details.filter((detail) => detail !== null)
  const reasons = known.map(({ reason }) => reason)
  const isKeyInvalid =
    reasons.includes('API_KEY_INVALID') || /^api key (not valid|not found|expired|invalid)/i.test(message)
  const seconds =
    readSeconds(known.find((detail) => detail['@type'].endsWith('google.rpc.RetryInfo'))?.retryDelay) ??
    readRetryAfter(retryAfter, nowMs) ??
    readSeconds(/\bretry in (\d+(?:\.\d+)?s)\b/i.exec(message)?.[1])
  return {
    message: message.slice(0, messageMax) || 'it gave no reason.',
    status,
    isKeyInvalid,
    isServerRefused:
      isKeyInvalid ||
      /\bapi[ _]?key\b|\bbilling\b|\bsuspended\b|\bhas not been used\b|\bunregistered callers\b/i.test(message) ||
      reasons.some((reason) => /^(API_KEY|SERVICE|BILLING|CONSUMER|ACCOUNT|CREDENTIALS|ACCESS_TOKEN)_/.test(reason)),
    quotas: known.flatMap(({ violations, metadata }) => [
      ...violations
        .filter((one) => one !== null)
        .map(({ quotaId, description, quotaValue, quotaDimensions }) => ({
          name: `${quotaId} ${description}`,
          value: quotaValue.trim(),
          model: quotaDimensions.model,
        })),
      { name: metadata.quota_limit, value: metadata.quota_limit_value.trim(), model: undefined },
    ]),
    missingModel: /\blimit: 0(?![.\d])(?:, model: ([\w.-]*\w))?/
      .exec(message)
      ?.slice(1)
      .map((model) => model ?? '')[0],
    // With less than a second a step would use up all its attempts in a moment. The upper limit bounds the wait.
    retryInMs: seconds !== undefined && seconds >= 1 ? Math.ceil(Math.min(seconds, retryMaxSeconds) * 1000) : undefined,
    nowMs,
  }
}

type Body = z.output<typeof bodies>['error']

/**
 * Reads a body. A proxy may send a list with one error, as streamed answers do, or write the body of Gemini into the message of
 * its own error. A page, or JSON that is cut off, has no message for people.
 */
function readBody(body: string, level = 0): Body {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { message: /^\s*[<{[]/.test(body) ? '' : body.trim(), status: '', details: none }
  }
  const parsed = bodies.safeParse(Array.isArray(value) ? value[0] : value)
  if (!parsed.success) return { message: '', status: '', details: none }
  const { error } = parsed.data
  const isNested = /^\s*[{[]/.test(error.message) && level < 3
  const inner = isNested ? readBody(error.message, level + 1) : undefined
  return inner === undefined || inner.message === '' ? error : inner
}

/** Reads "3.2s", or an object with seconds, which some proxies make of it. */
function readSeconds(delay: unknown): number | undefined {
  const parts = z
    .object({ seconds: z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]) })
    .safeParse(delay)
  if (parts.success) return parts.data.seconds
  const [, seconds] = /^\s*(\d+(?:\.\d+)?)s\s*$/.exec(typeof delay === 'string' ? delay : '') ?? []
  return seconds === undefined ? undefined : Number(seconds)
}

/** Reads a header Retry-After: seconds, or a date. */
function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : (Date.parse(header) - nowMs) / 1000
  return Number.isNaN(seconds) ? undefined : seconds
}
