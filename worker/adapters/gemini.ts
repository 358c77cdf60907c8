import { ApiError, GenerateVideosOperation, GoogleGenAI } from '@google/genai'
import { fileTypeFromBuffer } from 'file-type'
import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { toText, walkErrors } from '../shared/serialize_error.ts'
import { TimeoutError, within } from '../shared/within.ts'
import {
  askForLess,
  check,
  ended,
  explain,
  explainVideo,
  type GeminiUsage,
  isMalformed,
  notLost,
  operations,
  type Part,
  permanent,
  readAnswer,
  readJson,
  unreadable,
} from './gemini_answers.ts'
import { loosenSchema } from './loosen_schema.ts'
import { requireVideoHost, videoHosts } from './video_hosts.ts'

/** The part of the worker's environment that says where Gemini is. */
export const geminiVariables = {
  /** Optional: without a key, steps that need Gemini fail and everything else runs. */
  GEMINI_API_KEY: z.string().optional(),
  GEMINI_BASE_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://generativelanguage.googleapis.com' })
    .default('https://generativelanguage.googleapis.com'),
  /** How long an answer may take. */
  GEMINI_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 300').min(1).max(300).default(120),
  /** How long to wait between two polls of a video. */
  GEMINI_VIDEO_POLL_SECONDS: z.coerce.number('must be a number from 0.01 to 300').min(0.01).max(300).default(10),
  /** The hosts that videos are loaded from, by https. Gemini itself need not be named. */
  GEMINI_VIDEO_HOSTS: videoHosts.prefault('*.googleapis.com,*.googleusercontent.com'),
}

const environment = z.object(geminiVariables)

export type GeminiConfig = z.output<typeof environment>

export type Picture = { bytes: Buffer; mimeType: string }

/**
 * Gemini. Each call ends in a bounded time. A failure is a StepError with a reason for people: permanent where another
 * attempt would fail, too; with `retryInMs` where Gemini says when to retry. An aborted call throws the signal's reason.
 */
export type Gemini = {
  /** Writes a JSON value that matches the schema, which Gemini gets as JSON Schema. */
  writeJson<Schema extends z.ZodType>(request: {
    model: string
    prompt: string
    system?: string
    schema: Schema
    signal: AbortSignal
  }): Promise<{ value: z.output<Schema>; usage: GeminiUsage }>
  /** Draws an image from a prompt and from images that it should resemble. */
  drawImage(request: {
    model: string
    prompt: string
    references?: Picture[]
    signal: AbortSignal
  }): Promise<Picture & { usage: GeminiUsage }>
  /** Starts a video, optionally from a first image. Returns the name of the operation, which is all that a poll needs. */
  startVideo(request: { model: string; prompt: string; image?: Picture; signal: AbortSignal }): Promise<string>
  /**
   * Returns the URI of the video, or undefined while Gemini makes it. A failure that ends the operation drops the state of its
   * step. After `video_failed`, another operation may succeed.
   */
  pollVideo(request: { operation: string; signal: AbortSignal }): Promise<string | undefined>
  /** Loads a video by the URI from {@link pollVideo}. */
  loadVideo(request: { uri: string; signal: AbortSignal }): Promise<Picture>
  /** How long to wait between two polls of a video. */
  videoPollMs: number
}

const apiVersion = 'v1beta'
const videoMaxBytes = 100 * 2 ** 20
const answerMaxBytes = 64 * 2 ** 20
const refusalMaxBytes = 2 ** 20

export function createGemini(config: GeminiConfig): Gemini {
  const { GEMINI_API_KEY: apiKey, GEMINI_BASE_URL: baseUrl, GEMINI_VIDEO_HOSTS: hosts } = config
  const timeoutMs = config.GEMINI_TIMEOUT_SECONDS * 1000
  const client = new GoogleGenAI({ apiKey: apiKey ?? 'none', httpOptions: { baseUrl, apiVersion, fetch: ask } })

  /** Bounds a request, because Gemini may be silent or slow. `model` is for the message of a failure. */
  async function callGemini<Result>(
    signal: AbortSignal,
    call: (abortSignal: AbortSignal) => Promise<Result>,
    model?: string,
  ) {
    if (apiKey === undefined) {
      throw permanent(
        'provider_not_configured',
        'This server has no key for Gemini. The operator must set GEMINI_API_KEY.',
      )
    }
    try {
      return await within(timeoutMs, signal, call)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof TimeoutError) {
        throw new StepError('provider_timed_out', `Gemini gave no answer within ${timeoutMs / 1000} s.`, {
          cause: error,
        })
      }
      throw hide(explain(error, model))
    }
  }

  /** Removes the key from an error and its causes, because a server may have sent it back. */
  function hide(error: StepError): StepError {
    try {
      for (const { value } of walkErrors(error)) {
        if (value instanceof Error) {
          value.message = withoutKey(value.message)
          if (value.stack !== undefined) value.stack = withoutKey(value.stack)
        } else if (withoutKey(toText(value)) !== toText(value)) throw new Error('A cause has the key.')
      }
      return error
    } catch {
      // A cause that cannot be changed.
      const { slug, message, ...options } = error
      return new StepError(slug, withoutKey(message), { ...options, cause: undefined })
    }
  }

  /** Removes the key from a text. Call it before the text is cut or changed, because only the whole key is recognised. */
  function withoutKey(text: string): string {
    return apiKey ? text.replaceAll(apiKey, '…') : text
  }

  /**
   * Fetches an answer as a whole, so that only its form can fail later. Refuses redirects, because they would get the key, and
   * bodies that are not a JSON object, such as the page of a proxy.
   */
  async function ask(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const { response, text } = await reach(async () => {
      const response = await fetch(input, { ...init, redirect: 'error' })
      return { response, text: await readText(response) }
    })
    if (response.ok && !isJsonObject(text)) throw unreadable('it is not a JSON object')
    return new Response(text || null, { status: response.status, headers: response.headers })
  }

  /** Reads the body without the key: of an answer all of it or none, of a refusal the beginning. */
  async function readText(response: Response): Promise<string> {
    const bytes = response.ok
      ? await readBody(response, answerMaxBytes, () => unreadable(`it has more than ${answerMaxBytes / 2 ** 20} MiB`))
      : await readBody(response, refusalMaxBytes)
    return withoutKey(bytes.toString('utf8'))
  }

  /** Returns the text of an answer; throws the SDK's kind of error for a refusal. */
  async function requireOk(response: Response): Promise<string> {
    const text = await readText(response)
    if (!response.ok) throw new ApiError({ status: response.status, message: text.slice(0, 20_000) })
    return text
  }

  async function generate(request: {
    model: string
    parts: object[]
    config: object
    signal: AbortSignal
  }): Promise<{ parts: Part[]; usage: GeminiUsage }> {
    const { model, parts, config, signal } = request
    const send = async (abortSignal: AbortSignal) => {
      const contents = [{ role: 'user', parts }]
      return readAnswer(
        model,
        await client.models.generateContent({ model, contents, config: { ...config, abortSignal } }),
      )
    }
    return callGemini(signal, send, model)
  }

  return {
    videoPollMs: config.GEMINI_VIDEO_POLL_SECONDS * 1000,

    async writeJson({ model, prompt, system, schema, signal }) {
      const { $schema: _, ...strict } = z.toJSONSchema(schema)
      const ask = (responseJsonSchema: unknown) =>
        generate({
          model,
          parts: [{ text: prompt }],
          config: {
            responseMimeType: 'application/json',
            responseJsonSchema,
            ...(system !== undefined && { systemInstruction: system }),
          },
          signal,
        })
      const { parts, usage } = await ask(strict).catch((error: unknown) => {
        if (!isMalformed(error)) throw error
        return ask(loosenSchema(strict)).catch((error: unknown) => {
          throw isMalformed(error) ? askForLess(error) : error
        })
      })
      const text = parts.flatMap((part) => (part.thought ? [] : [part.text ?? ''])).join('')
      return { value: readJson(withoutKey(text), schema), usage }
    },

    async drawImage({ model, prompt, references = [], signal }) {
      const { parts, usage } = await generate({
        model,
        parts: [...references.map(toPart), { text: prompt }],
        config: { responseModalities: ['IMAGE'] },
        signal,
      })
      const drawn = parts.find((part) => part.inlineData && !part.thought)?.inlineData
      if (!drawn) throw unreadable('it has no image')
      return { ...(await look(Buffer.from(drawn.data, 'base64'), /^image\/(png|jpeg|webp)$/)), usage }
    },

    // Without the SDK, which starts videos on Google's enterprise platform only, although it polls them here.
    async startVideo({ model, prompt, image, signal }) {
      return callGemini(
        signal,
        async (abortSignal) => {
          const response = await ask(
            new URL(`/${apiVersion}/models/${encodeURIComponent(model)}:predictLongRunning`, baseUrl),
            {
              method: 'POST',
              headers: { 'content-type': 'application/json', 'x-goog-api-key': apiKey ?? '' },
              body: JSON.stringify({
                instances: [
                  {
                    prompt,
                    ...(image && {
                      image: { bytesBase64Encoded: image.bytes.toString('base64'), mimeType: image.mimeType },
                    }),
                  },
                ],
              }),
              signal: abortSignal,
            },
          )
          return check(operations, JSON.parse(await requireOk(response))).name
        },
        model,
      )
    },

    pollVideo: ({ operation, signal }) =>
      callGemini(signal, async (abortSignal) => {
        const asked = new GenerateVideosOperation()
        asked.name = operation
        const { done, error, response } = check(
          operations,
          await client.operations.getVideosOperation({ operation: asked, config: { abortSignal } }).catch(notLost),
        )
        if (error) throw explainVideo(error)
        if (!done) return undefined
        const uri = response?.generatedVideos?.[0]?.video?.uri
        if (uri) return uri
        const [reason = response?.raiMediaFilteredCount ? 'a filter of Gemini removed it.' : undefined] =
          response?.raiMediaFilteredReasons ?? []
        if (reason !== undefined) {
          throw ended('provider_refused', `Gemini could not make the video: ${reason.slice(0, 500)}`)
        }
        throw new StepError('video_failed', 'Gemini finished without a video and without a reason.', {
          dropsState: true,
        })
      }),

    loadVideo: ({ uri, signal }) =>
      callGemini(signal, async (abortSignal) => {
        // Only Gemini gets the key, not the servers that its answers point to.
        let url = readUrl(uri)
        for (let hop = 0; hop < 4; hop++) {
          if (!/^https?:$/.test(url.protocol)) throw unreadable('the URL of its video is invalid')
          requireVideoHost(url, { baseUrl, hosts })
          const isGemini = url.origin === new URL(baseUrl).origin
          const response = await reach(() =>
            fetch(url, {
              ...(isGemini && { headers: { 'x-goog-api-key': apiKey ?? '' } }),
              redirect: 'manual',
              signal: abortSignal,
            }),
          )
          const next = response.headers.get('location')
          if (response.status >= 300 && response.status < 400 && next !== null) {
            await response.body?.cancel()
            url = readUrl(next, url)
            continue
          }
          if (!response.ok && !isGemini) {
            await response.body?.cancel()
            throw unreadable(`its video cannot be loaded (${response.status})`)
          }
          if (!response.ok) await requireOk(response).catch(notLost)
          // The content type is ignored, because a proxy may declare its page a video.
          const bytes = await reach(() =>
            readBody(response, videoMaxBytes, () =>
              ended('video_too_large', `The video has more than ${videoMaxBytes / 2 ** 20} MiB.`),
            ),
          )
          return look(bytes, /^video\//)
        }
        throw unreadable('the URL of its video redirects too often')
      }),
  }
}

/** Turns a failure of the connection into a StepError. */
async function reach<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof StepError) throw error
    throw new StepError('provider_unreachable', 'Gemini cannot be reached. Retry the run later.', { cause: error })
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** Returns a file with the type that its bytes have, if that is a wanted one. */
async function look(bytes: Buffer, wanted: RegExp): Promise<Picture> {
  const mimeType = (await fileTypeFromBuffer(bytes))?.mime ?? 'an unknown type'
  if (!wanted.test(mimeType)) throw unreadable(`it has ${bytes.length === 0 ? 'no bytes' : mimeType}`)
  return { bytes, mimeType }
}

function readUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null) throw unreadable('the URL of its video is invalid')
  return url
}

const toPart = ({ bytes, mimeType }: Picture) => ({ inlineData: { mimeType, data: bytes.toString('base64') } })

/** Reads a body up to a size. A larger one throws `tooLarge()`; without `tooLarge` it is cut. */
async function readBody(response: Response, maxBytes: number, tooLarge?: () => StepError): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes && tooLarge) throw tooLarge()
    if (bytes > maxBytes) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
