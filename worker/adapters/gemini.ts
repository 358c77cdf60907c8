import { ApiError, GenerateVideosOperation, GoogleGenAI } from '@google/genai'
import { fileTypeFromBuffer } from 'file-type'
import { z } from 'zod'
import { StepError } from '../steps/outcome.ts'
import {
  check,
  explain,
  type GeminiUsage,
  notLost,
  operations,
  type Part,
  permanent,
  readAnswer,
  readJson,
  unreadable,
} from './gemini_answers.ts'

/** Where Gemini is: part of the worker's environment. */
export const geminiVariables = {
  /** Without it, steps that need Gemini fail, and everything else runs. */
  GEMINI_API_KEY: z.string().optional(),
  GEMINI_BASE_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://generativelanguage.googleapis.com' })
    .default('https://generativelanguage.googleapis.com'),
  /** How long an answer may take. */
  GEMINI_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 300').min(1).max(300).default(120),
  /** How long to wait before asking again whether a video is there. */
  GEMINI_VIDEO_POLL_SECONDS: z.coerce.number('must be a number from 0.01 to 300').min(0.01).max(300).default(10),
}

const environment = z.object(geminiVariables)

export type GeminiConfig = z.output<typeof environment>

export type Picture = { bytes: Buffer; mimeType: string }

/**
 * Gemini. Each call ends in a bounded time, and throws a StepError when it fails: permanent where the next attempt would be
 * given the same, with a reason for people; with `retryInMs` where Gemini says when it takes requests again. A call that
 * `signal` aborts throws the signal's reason.
 */
export type Gemini = {
  /** An answer as this schema has it, which Gemini is given as JSON Schema. */
  writeJson<Schema extends z.ZodType>(request: {
    model: string
    prompt: string
    system?: string
    schema: Schema
    signal: AbortSignal
  }): Promise<{ value: z.output<Schema>; usage: GeminiUsage }>
  /** A picture of what the prompt says, with those that it is to resemble. */
  drawImage(request: {
    model: string
    prompt: string
    references?: Picture[]
    signal: AbortSignal
  }): Promise<Picture & { usage: GeminiUsage }>
  /** Begins a video, from a first picture if there is one; the operation's name is all that is needed to go on. */
  startVideo(request: { model: string; prompt: string; image?: Picture; signal: AbortSignal }): Promise<string>
  /** Where the video is; undefined while it is being made. `video_failed`: another operation may do better. */
  pollVideo(request: { operation: string; signal: AbortSignal }): Promise<string | undefined>
  /** The bytes of a video that {@link pollVideo} has found. */
  loadVideo(request: { uri: string; signal: AbortSignal }): Promise<Picture>
  /** How long to wait between two polls. */
  videoPollMs: number
}

const apiVersion = 'v1beta'
const videoMaxBytes = 100 * 2 ** 20
const answerMaxBytes = 64 * 2 ** 20
const refusalMaxBytes = 2 ** 20

export function createGemini(config: GeminiConfig): Gemini {
  const { GEMINI_API_KEY: apiKey, GEMINI_BASE_URL: baseUrl } = config
  const timeoutMs = config.GEMINI_TIMEOUT_SECONDS * 1000
  const client = new GoogleGenAI({ apiKey: apiKey ?? 'none', httpOptions: { baseUrl, apiVersion, fetch: ask } })

  /** Neither a silent Gemini nor one that is slow keeps a step waiting for ever. */
  async function within<Result>(signal: AbortSignal, call: (abortSignal: AbortSignal) => Promise<Result>) {
    if (apiKey === undefined) {
      throw permanent('provider_not_configured', 'This server has no key for Gemini.')
    }
    signal.throwIfAborted()
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      return await call(AbortSignal.any([signal, timeout]))
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (timeout.aborted) {
        throw new StepError('provider_timed_out', `Gemini gave no answer within ${timeoutMs / 1000} s.`, {
          cause: error,
        })
      }
      throw hide(explain(error))
    }
  }

  /** Neither a log nor a client sees the key, whoever has sent it back. */
  function hide(error: unknown): unknown {
    for (let one = error; one instanceof Error; one = one.cause) {
      one.message = withoutKey(one.message)
      if (one.stack !== undefined) one.stack = withoutKey(one.stack)
    }
    return error
  }

  /** As soon as it comes: what is cut, or put into lower case, is not recognised any more. */
  function withoutKey(text: string): string {
    return apiKey ? text.replaceAll(apiKey, '…') : text
  }

  /**
   * Gemini's answer, whole: what fails later is its form. The key goes to Gemini alone, not to where it redirects; and what is
   * no JSON object, such as the page of a proxy, is no answer.
   */
  async function ask(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const { response, text } = await reach(async () => {
      const response = await fetch(input, { ...init, redirect: 'error' })
      return { response, text: await readText(response) }
    })
    if (response.ok && !isJsonObject(text)) throw unreadable('it is no JSON object')
    return new Response(text || null, { status: response.status, headers: response.headers })
  }

  /** Of an answer, all of it; of a refusal, as much as somebody may want to read. */
  async function readText(response: Response): Promise<string> {
    const bytes = response.ok
      ? await readBody(response, answerMaxBytes, () => unreadable(`it has more than ${answerMaxBytes / 2 ** 20} MiB`))
      : await readBody(response, refusalMaxBytes)
    return withoutKey(bytes.toString('utf8'))
  }

  /** The text of an answer; of a refusal an error as the SDK makes it. */
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
    const { model, parts, signal } = request
    return within(signal, async (abortSignal) =>
      readAnswer(
        model,
        await client.models.generateContent({
          model,
          contents: [{ role: 'user', parts }],
          config: { ...request.config, abortSignal },
        }),
      ),
    )
  }

  return {
    videoPollMs: config.GEMINI_VIDEO_POLL_SECONDS * 1000,

    async writeJson({ model, prompt, system, schema, signal }) {
      const { $schema: _, ...responseJsonSchema } = z.toJSONSchema(schema)
      const { parts, usage } = await generate({
        model,
        parts: [{ text: prompt }],
        config: {
          responseMimeType: 'application/json',
          responseJsonSchema,
          ...(system !== undefined && { systemInstruction: system }),
        },
        signal,
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
      if (!drawn) throw unreadable('it holds no picture')
      return { ...(await look(Buffer.from(drawn.data, 'base64'), /^image\/(png|jpeg|webp)$/)), usage }
    },

    // By hand: the SDK begins videos on Google's enterprise platform only, though it polls them here.
    async startVideo({ model, prompt, image, signal }) {
      return within(signal, async (abortSignal) => {
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
      })
    },

    pollVideo: ({ operation, signal }) =>
      within(signal, async (abortSignal) => {
        const asked = new GenerateVideosOperation()
        asked.name = operation
        const { done, error, response } = check(
          operations,
          await client.operations.getVideosOperation({ operation: asked, config: { abortSignal } }).catch(notLost),
        )
        if (error !== undefined) {
          // The codes of google.rpc.Code: 8 resource exhausted, 13 internal, 14 unavailable.
          const reason = `Gemini made no video: ${error.message?.slice(0, 500) ?? 'it gave no reason'}`
          if ([8, 13, 14].includes(error.code ?? 0)) throw new StepError('video_failed', reason)
          throw permanent('provider_refused', reason)
        }
        if (!done) return undefined
        const uri = response?.generatedVideos?.[0]?.video?.uri
        if (uri !== undefined) return uri
        const [reason] = response?.raiMediaFilteredReasons ?? []
        if (reason !== undefined) throw permanent('provider_refused', `Gemini made no video: ${reason.slice(0, 500)}`)
        throw unreadable('it holds no video')
      }),

    loadVideo: ({ uri, signal }) =>
      within(signal, async (abortSignal) => {
        // The key goes to Gemini alone, not to where its answers point.
        let url = readUrl(uri)
        for (let hop = 0; hop < 4; hop++) {
          if (!/^https?:$/.test(url.protocol)) throw unreadable('its video is nowhere on the web')
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
          // What it is called counts for nothing: a proxy may call its page a video.
          const bytes = await reach(() =>
            readBody(response, videoMaxBytes, () =>
              permanent('video_too_large', `The video has more than ${videoMaxBytes / 2 ** 20} MiB.`),
            ),
          )
          return look(bytes, /^video\//)
        }
        throw unreadable('its video is nowhere')
      }),
  }
}

/** Whatever fails on the way. */
async function reach<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof StepError) throw error
    const { message, cause } = error as Error
    const { code, message: why } = (cause ?? {}) as { code?: string; message?: string }
    throw new StepError('provider_unreachable', `Gemini cannot be reached: ${code ?? why ?? message}`, { cause: error })
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

/** What bytes are, by the bytes themselves. */
async function look(bytes: Buffer, wanted: RegExp): Promise<Picture> {
  const mimeType = (await fileTypeFromBuffer(bytes))?.mime ?? 'nothing that is known'
  if (!wanted.test(mimeType)) throw unreadable(`it holds ${bytes.length === 0 ? 'no bytes' : mimeType}`)
  return { bytes, mimeType }
}

function readUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null) throw unreadable('its video is nowhere on the web')
  return url
}

const toPart = ({ bytes, mimeType }: Picture) => ({ inlineData: { mimeType, data: bytes.toString('base64') } })

/** Its bytes; of one that has more, what `tooLarge` says, or the first ones. */
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
