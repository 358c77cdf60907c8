import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { check, ended, unreadable } from './gemini_answers.ts'

// Interprets the operations that make videos. Only a clear failure ends an operation, because another operation costs as much
// again.

const text = z.string().min(1).optional().catch(undefined)
/** A number, also as a text. Not z.coerce, which throws for an object with a field `valueOf`. */
const number = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
/** A video by its URI, or in base64. Gemini and Google's enterprise platform name both in several ways. */
const video = z
  .object({ uri: text, gcsUri: text, encodedVideo: text, videoBytes: text, bytesBase64Encoded: text })
  .transform((one) => ({
    uri: one.uri ?? one.gcsUri,
    data: one.encodedVideo ?? one.videoBytes ?? one.bytesBase64Encoded,
  }))
const samples = z
  .array(
    z
      .union([z.object({ video }).transform((sample) => sample.video), video])
      .nullable()
      .catch(null),
  )
  .catch([])
const results = z.object({
  generatedSamples: samples,
  generatedVideos: samples,
  videos: samples,
  raiMediaFilteredCount: number.catch(0),
  raiMediaFilteredReasons: z.union([z.array(z.string()), z.string().transform((reason) => [reason])]).catch([]),
})

const operations = z.object({
  name: z.string().min(1).nullish(),
  done: z.boolean().nullish(),
  error: z
    .union([
      z.object({
        message: z.string().nullish().catch(undefined),
        code: number.optional().catch(undefined),
        status: z.string().optional().catch(undefined),
      }),
      z.string().transform((message) => ({ message, code: undefined, status: undefined })),
    ])
    .nullish(),
  response: results.extend({ generateVideoResponse: results.optional().catch(undefined) }).nullish(),
})

/** Returns the name of an operation that was started. */
export function readStarted(answer: unknown): string {
  return check(z.object({ name: z.string().min(1) }), answer).name
}

/** Returns the video of an operation, or undefined while Gemini makes it; throws if the operation has ended without one. */
export function readOperation(answer: unknown): { uri: string } | { data: string } | undefined {
  const { name, done, error, response } = check(operations, answer)
  // Proxies may leave the name out, but then something else must show that this is an operation.
  if (!name && done == null && !error && !response) throw unreadable('it has not the form of an operation')
  const parts = response ? [response, ...(response.generateVideoResponse ? [response.generateVideoResponse] : [])] : []
  if (done) {
    const found = parts.flatMap((part) => [...part.generatedSamples, ...part.generatedVideos, ...part.videos])
    const uris = found.flatMap((one) => one?.uri ?? [])
    const uri = uris.find((one) => /^https?:/i.test(one)) ?? uris[0]
    const data = found.flatMap((one) => one?.data ?? [])[0]
    if (uri !== undefined && (data === undefined || /^https?:/i.test(uri))) return { uri }
    if (data !== undefined) return { data }
  }
  if (error) {
    const failure = explainVideo(error)
    // An operation that is not done may still succeed, so only a refusal ends it.
    if (done || failure.isPermanent) throw failure
  }
  if (!done) return undefined
  const isFiltered = parts.some((part) => part.raiMediaFilteredCount > 0)
  const reason =
    parts.flatMap((part) => part.raiMediaFilteredReasons)[0] ??
    (isFiltered ? 'a filter of Gemini removed it.' : undefined)
  if (reason !== undefined) {
    throw ended('provider_refused', `Gemini could not make the video: ${reason.slice(0, 500)}`)
  }
  throw new StepError('video_failed', 'Gemini finished without a video and without a reason.', { dropsState: true })
}

/** The codes of google.rpc.Code after which another operation may succeed, and the statuses of HTTP that mean the same. */
const passing = new Set([0, 1, 2, 4, 8, 10, 13, 14, 408, 409, 429, 499, 500, 502, 503, 504])
const passingNames = new Set(
  'OK CANCELLED UNKNOWN DEADLINE_EXCEEDED RESOURCE_EXHAUSTED ABORTED INTERNAL UNAVAILABLE'.split(' '),
)

/** Explains the failure of an operation by its code, or by its status if it has no code. */
function explainVideo({ message, code, status }: NonNullable<z.output<typeof operations>['error']>): StepError {
  const reason = `Gemini could not make the video: ${message?.slice(0, 500) || 'it gave no reason.'}`
  const isPassing = code === undefined ? status === undefined || passingNames.has(status) : passing.has(code)
  return isPassing ? new StepError('video_failed', reason, { dropsState: true }) : ended('provider_refused', reason)
}
