import { GoogleGenAI } from '@google/genai'
import { fileTypeFromBuffer } from 'file-type'
import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { type Body, readBody } from '../shared/read_body.ts'
import { toText, walkErrors } from '../shared/serialize_error.ts'
import { TimeoutError, within } from '../shared/within.ts'
import {
  askForLess,
  ended,
  explain,
  type GeminiUsage,
  isMalformed,
  notLost,
  type Part,
  permanent,
  readAnswer,
  readJson,
  unreadable,
} from './gemini_answers.ts'
import { readOperation, readStarted } from './gemini_operations.ts'
import { RefusedError } from './gemini_refusals.ts'
import { isCutImage } from './is_cut_image.ts'
import { isCutMp4 } from './is_cut_mp4.ts'
import { loosenSchema } from './loosen_schema.ts'
import { type SentRequest, sendRequest, toHeaders } from './send_request.ts'
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
  /**
   * Writes a JSON value that matches the schema, which Gemini gets as JSON Schema. `images` are what the prompt speaks of.
   * Gemini gets `jsonSchema` instead, if it is given.
   */
  writeJson<Schema extends z.ZodType>(request: {
    model: string
    prompt: string
    images?: Picture[]
    system?: string
    schema: Schema
    jsonSchema?: object
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
   * Returns the URI of the video, or the video itself if the answer has it, or undefined while Gemini makes it. A failure that
   * ends the operation drops the state of its step. After `video_failed`, another operation may succeed.
   */
  pollVideo(request: { operation: string; signal: AbortSignal }): Promise<string | Picture | undefined>
  /** Loads a video by the URI from {@link pollVideo}. */
  loadVideo(request: { uri: string; signal: AbortSignal }): Promise<Picture>
  /** How long to wait between two polls of a video. */
  videoPollMs: number
}

const apiVersion = 'v1beta'
const officialOrigin = 'https://generativelanguage.googleapis.com'
const videoMaxBytes = 100 * 2 ** 20
const answerMaxBytes = 64 * 2 ** 20
const refusalMaxBytes = 2 ** 20

/** `send` sends the requests. */
export function createGemini(config: GeminiConfig, send = sendRequest): Gemini {
  const { GEMINI_API_KEY: apiKey, GEMINI_BASE_URL: baseUrl, GEMINI_VIDEO_HOSTS: hosts } = config
  const root = baseUrl.replace(/\/+$/, '')
  const timeoutMs = config.GEMINI_TIMEOUT_SECONDS * 1000
  const noHeaders = new Headers()
  /** The JSON Schemas of zod schemas, because making one takes longer than sending a request. */
  const jsonSchemas = new WeakMap<z.ZodType, object>()
  const client = new GoogleGenAI({ apiKey: apiKey ?? 'none', httpOptions: { baseUrl, apiVersion, fetch: fetchForSdk } })

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
   * Reads the whole answer, so that later only its form can be wrong. Refuses redirects, because they would get the key, and
   * bodies that are not a JSON object, such as the page of a proxy. Throws a RefusedError for a refusal, also for one that a
   * proxy sends with status 200.
   */
  async function ask(url: URL, request: SentRequest): Promise<object> {
    const { status, headers, text } = await reach(async () => {
      const answer = await send(url, request)
      return { ...answer, text: await readText(answer) }
    })
    const refuse = (status: number) => new RefusedError(status, text, toHeaders(headers))
    if (status < 200 || status > 299) throw refuse(status)
    const answer = readObject(text)
    if (answer === undefined) throw unreadable('it is not a JSON object')
    // Parses only answers with an error, because zod needs much time to refuse another answer.
    const code = 'error' in answer && !('name' in answer) ? refusals.safeParse(answer).data?.error.code : undefined
    if (code !== undefined) throw refuse(code)
    return answer
  }

  /** `ask` in the form of fetch, for the SDK. The SDK gets the object itself, because its JSON is already read. */
  async function fetchForSdk(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const answer = await ask(new URL(String(input)), {
      method: init.method ?? 'GET',
      headers: Object.fromEntries(init.headers as Headers),
      body: init.body as string,
      signal: init.signal ?? undefined,
    })
    // The SDK reads only these three members. A whole Response with a body would take much time.
    const response: Pick<Response, 'ok' | 'headers' | 'json'> = {
      ok: true,
      headers: noHeaders,
      json: async () => answer,
    }
    return response as Response
  }

  /** Makes a request of which the SDK has no method, or has only one that loses a part of the answer. */
  function askFor(path: string, request: Omit<SentRequest, 'headers'>): Promise<object> {
    const headers = { 'content-type': 'application/json', 'x-goog-api-key': apiKey ?? '' }
    return ask(new URL(`${root}/${apiVersion}/${path}`), { ...request, headers })
  }

  /** Gemini names its own host, which refuses a file without the key. Behind a gateway, only the gateway gets the key. */
  function throughGateway(url: URL): URL {
    return url.origin === officialOrigin ? new URL(`${root}${url.pathname}${url.search}`) : url
  }

  /** Reads the body and removes the key. An answer that is too large throws; of a refusal, only the beginning is read. */
  async function readText(response: Body & { status: number }): Promise<string> {
    const bytes =
      response.status >= 200 && response.status <= 299
        ? await readBody(response, answerMaxBytes, () => unreadable(`it has more than ${answerMaxBytes / 2 ** 20} MiB`))
        : await readBody(response, refusalMaxBytes)
    // Without the byte order mark that some proxies write.
    return withoutKey(new TextDecoder().decode(bytes))
  }

  function toJsonSchema(schema: z.ZodType): object {
    const known = jsonSchemas.get(schema)
    if (known !== undefined) return known
    const { $schema: _, ...jsonSchema } = z.toJSONSchema(schema)
    jsonSchemas.set(schema, jsonSchema)
    return jsonSchema
  }

  async function generate(request: {
    model: string
    parts: object[]
    config: object
    signal: AbortSignal
  }): Promise<{ answers: Part[][]; usage: GeminiUsage }> {
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

    async writeJson({ model, prompt, images = [], system, schema, jsonSchema, signal }) {
      const strict = jsonSchema ?? toJsonSchema(schema)
      const ask = (responseJsonSchema: unknown) =>
        generate({
          model,
          parts: [...images.map(toPart), { text: prompt }],
          config: {
            responseMimeType: 'application/json',
            responseJsonSchema,
            ...(system !== undefined && { systemInstruction: system }),
          },
          signal,
        })
      const { answers, usage } = await ask(strict).catch((error: unknown) => {
        if (!isMalformed(error)) throw error
        return ask(loosenSchema(strict)).catch((error: unknown) => {
          throw isMalformed(error) ? askForLess(error) : error
        })
      })
      const texts = answers.map((parts) => parts.flatMap((part) => (part.thought ? [] : [part.text ?? ''])).join(''))
      return { value: readJson(withoutKey(texts.join('\n')), schema), usage }
    },

    async drawImage({ model, prompt, references = [], signal }) {
      const { answers, usage } = await generate({
        model,
        parts: [...references.map(toPart), { text: prompt }],
        config: { responseModalities: ['IMAGE'] },
        signal,
      })
      const drawn = answers.flat().flatMap(({ thought, data }) => (thought || data === undefined ? [] : [data]))
      if (drawn.length === 0) throw unreadable('it has no image')
      return { ...(await lookForFirst(drawn, /^image\/(png|jpeg|webp)$/)), usage }
    },

    // Without the SDK, because it starts videos only on Google's enterprise platform.
    async startVideo({ model, prompt, image, signal }) {
      const start = async (abortSignal: AbortSignal) => {
        const first = image && { bytesBase64Encoded: image.bytes.toString('base64'), mimeType: image.mimeType }
        const body = JSON.stringify({ instances: [{ prompt, ...(first && { image: first }) }] })
        const path = `models/${encodeURIComponent(model)}:predictLongRunning`
        return readStarted(await askFor(path, { method: 'POST', body, signal: abortSignal }))
      }
      return callGemini(signal, start, model)
    },

    // Without the SDK, because it reads a video from only one of several places. An overlooked video would be bought again.
    pollVideo: ({ operation, signal }) =>
      callGemini(signal, async (abortSignal) => {
        const found = readOperation(await askFor(operation, { method: 'GET', signal: abortSignal }).catch(notLost))
        if (found === undefined) return undefined
        if ('data' in found) return lookForFirst([found.data], /^video\//)
        const url = readUrl(found.uri)
        // Google's cloud storage, which no retry can load.
        if (url.protocol === 'gs:') requireVideoHost(url, { baseUrl, hosts })
        if (!/^https?:$/.test(url.protocol)) throw unreadable('the URL of its video is invalid')
        return found.uri
      }),

    loadVideo: ({ uri, signal }) =>
      callGemini(signal, async (abortSignal) => {
        // Only Gemini gets the key, not the servers that its answers point to.
        let url = throughGateway(readUrl(uri))
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
          if (!response.ok) {
            throw explainLoad(new RefusedError(response.status, await readText(response), response.headers))
          }
          if (response.status !== 200) throw unreadable(`its video is answered with ${response.status}`)
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

/** An error in the form of an answer. Statuses begin at 400, above the codes of google.rpc.Code, which operations have. */
const refusals = z.object({ error: z.object({ code: z.int().min(400).max(599) }) })

/** Says why a video cannot be loaded from Gemini: the operation may be lost, but nothing in the request can be refused. */
function explainLoad(error: RefusedError): StepError {
  try {
    return notLost(error)
  } catch (thrown) {
    const failure = explain(thrown)
    return failure.slug === 'provider_refused'
      ? unreadable(`its video cannot be loaded (${error.status})`, error)
      : failure
  }
}

/** Returns an object, also the only one of a list, as streamed answers have it; undefined for any other text. */
function readObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const [only, ...others] = Array.isArray(value) ? value : [value]
    return typeof only === 'object' && only !== null && !Array.isArray(only) && others.length === 0 ? only : undefined
  } catch {
    return undefined
  }
}

/** Returns the first file that has a wanted type. Reads base64 in all of its alphabets, with or without padding. */
async function lookForFirst(files: string[], wanted: RegExp): Promise<Picture> {
  let failure: unknown
  for (const data of files) {
    try {
      return await look(Buffer.from(data.replace(/^data:[^,]{0,100},/, ''), 'base64'), wanted)
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** Returns a file with the type that its bytes have, if that is a wanted one. */
async function look(bytes: Buffer, wanted: RegExp): Promise<Picture> {
  const mimeType = (await fileTypeFromBuffer(bytes))?.mime ?? 'an unknown type'
  if (!wanted.test(mimeType)) throw unreadable(`it has ${bytes.length === 0 ? 'no bytes' : mimeType}`)
  if (mimeType === 'video/mp4' && isCutMp4(bytes)) throw unreadable('its video is cut off')
  if (isCutImage(bytes, mimeType)) throw unreadable('its image is cut off')
  return { bytes, mimeType }
}

function readUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null) throw unreadable('the URL of its video is invalid')
  return url
}

const toPart = ({ bytes, mimeType }: Picture) => ({ inlineData: { mimeType, data: bytes.toString('base64') } })
