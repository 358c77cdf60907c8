import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileTypeFromBuffer } from 'file-type'
import { PNG } from 'pngjs'
import { isCutImage } from '../../worker/adapters/is_cut_image.ts'

/**
 * A stand-in for Gemini, for development and tests. It speaks the wire format, without a model: texts satisfy the requested
 * schema, images are real PNGs derived from the prompt and from the first image of the request, videos take a few polls, and
 * the same request gets the same answer. Like Gemini, it refuses images that it cannot read, and models that cannot answer.
 * Agent tasks end after a few ticks; {@link answerTick} says which words of a mandate it understands.
 * `PUT /stand-in` with a {@link Behaviour} changes its behaviour, `GET /stand-in` lists its requests.
 */
export type Behaviour = {
  /** How long each answer takes. */
  latencyMs: number
  /** How many polls a video takes. */
  videoPolls: number
  /** How many ticks an agent task takes whose mandate does not say "in 5 ticks". */
  taskTicks: number
  /** Each request gets the first fault that is due: `{ every: 1, times: 1 }` makes the next request fail. */
  faults: Fault[]
}

/** A fault of the stand-in, and the requests that meet it. */
export type Fault = {
  kind:
    | 'rate'
    | 'unavailable'
    | 'hang'
    | 'blocked'
    | 'truncated'
    | 'broken_json'
    | 'safety'
    | 'empty'
    | 'bad_request'
    | 'video_failed'
    | 'video_lost'
    /** The connection is reset. */
    | 'reset'
    /** The answer has a finish reason that names no policy, and no parts. */
    | 'no_image'
    | 'other'
    /** The answer has only thoughts. */
    | 'thoughts'
    /** The JSON stands in a code fence, has a tail, or comes after an echo of the schema. */
    | 'fence'
    | 'tail'
    | 'echo'
    /** A schema with exact lengths is refused. */
    | 'too_many_states'
    /** The account has no quota for the model, or has spent the quota of the day. */
    | 'limit_zero'
    | 'day_spent'
    /** The operation is done, without a video and without a reason. */
    | 'video_empty'
    /** The image lacks its second half. */
    | 'cut_image'
    /** The JSON is valid and does not match the schema. */
    | 'wrong_json'
    /** The answer takes `delayMs` longer. */
    | 'slow'
  /** Every how many of the matching requests: 3 is every third. */
  every: number
  /** Which of these requests: every 3 and offset 1 are the second, the fifth and so on. By default the last one. */
  offset?: number
  /** How many times in all; without end by default. */
  times?: number
  /** Only requests whose path contains this, such as a model's name. */
  path?: string
  /** The delay that a 429 names; "none" leaves it out. */
  retryDelay?: string
  /** How much longer an answer takes: for `slow`. */
  delayMs?: number
}

/** A running stand-in, and what it was asked. */
export type StandIn = {
  url: string
  behave(behaviour: Partial<Behaviour>): void
  /** Paths of the requests so far. */
  requests: string[]
  /** The requests that Gemini would bill: a digest of each that was answered in full or cut off, without polls. */
  sold: string[]
  /** The ticks of agent tasks among them. */
  ticks: SoldTick[]
  stop(): Promise<void>
}

/** A tick of an agent task that Gemini would bill. */
export type SoldTick = { mandate: string; tick: number }

// biome-ignore lint/suspicious/noExplicitAny: the stand-in reads requests of any shape
type Any = any

type Operation = { polls: number; prompt: string }

/** Serves the HTTP API of Gemini with made-up answers, in the form that `@google/genai` reads. */
export async function startGemini(options: { port?: number; log?: (line: string) => void } = {}): Promise<StandIn> {
  const behaviour: Behaviour = { latencyMs: 0, videoPolls: 3, taskTicks: 3, faults: [] }
  const requests: string[] = []
  const sold: string[] = []
  const ticks: SoldTick[] = []
  const seen = new Map<Fault, number>()
  /** Refused prompts, which are refused again. */
  const blocked = new Map<string, Fault>()
  const operations = new Map<string, Operation>()
  const log = options.log ?? (() => {})

  const behave = (change: Partial<Behaviour>) => {
    Object.assign(behaviour, change)
    if (change.faults === undefined) return
    seen.clear()
    blocked.clear()
  }

  /** Returns the fault that is due for this request, if any. */
  function meetFault(path: string, body: string): Fault | undefined {
    const request = digest(`${path} ${body}`).toString('hex')
    const before = blocked.get(request)
    if (before !== undefined) return before
    const met = behaviour.faults.find((fault) => {
      if (fault.path !== undefined && !path.includes(fault.path)) return false
      const count = (seen.get(fault) ?? 0) + 1
      seen.set(fault, count)
      if (fault.kind === 'too_many_states' && !/"minItems"/.test(body)) return false
      const round = (count - 1 - (fault.offset ?? fault.every - 1)) / fault.every
      return Number.isInteger(round) && round >= 0 && round < (fault.times ?? Number.POSITIVE_INFINITY)
    })
    if (met?.kind === 'blocked') blocked.set(request, met)
    return met
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://stand-in').pathname
    const body = await readBody(request)
    if (path === '/stand-in') {
      if (request.method === 'PUT') behave(JSON.parse(body))
      return send(response, 200, { behaviour, requests: requests.length, sold: sold.length })
    }
    requests.push(path)
    if (!request.headers['x-goog-api-key']) {
      return refuse(response, 403, 'PERMISSION_DENIED', "Method doesn't allow unregistered callers.")
    }
    // A timer takes at least a millisecond.
    if (behaviour.latencyMs > 0) await sleep(behaviour.latencyMs)
    const fault = meetFault(path, body)
    if (fault !== undefined) {
      log(`fault ${fault.kind}: ${path}`)
      if (fault.kind === 'slow') await sleep(fault.delayMs ?? 1000)
      if (await misbehave(fault, response)) return
    }
    log(`${request.method} ${path}`)
    const [, model, verb] = /^\/v1beta\/models\/([^/:]+):(\w+)$/.exec(path) ?? []
    const sent = request.method === 'POST' ? JSON.parse(body) : undefined
    if (model !== undefined && verb === 'generateContent') {
      const wrong = await findWrong(model, sent)
      if (wrong !== undefined) return refuse(response, 400, 'INVALID_ARGUMENT', wrong)
    }
    if (sent !== undefined && !unpaid.has(fault?.kind)) {
      sold.push(digest(`${path} ${body}`).toString('hex'))
      const task = readTick(sent)
      if (task !== undefined) ticks.push({ mandate: task.mandate, tick: task.tick })
    }
    if (request.method === 'POST' && model !== undefined && verb === 'generateContent') {
      return send(response, 200, generate(model, sent, fault, behaviour.taskTicks))
    }
    if (request.method === 'POST' && model !== undefined && verb === 'predictLongRunning') {
      const name = `models/${model}/operations/${crypto.randomUUID()}`
      operations.set(name, { polls: 0, prompt: sent.instances?.[0]?.prompt ?? '' })
      return send(response, 200, { name })
    }
    const name = path.replace('/v1beta/', '')
    const known = name.replace(/^files\//, 'models/').replace(/:download$/, '')
    // Continue an operation that a restart lost: a local stack restarts more often than Gemini.
    if (/^models\/[^/]+\/operations\/[0-9a-f-]{36}$/.test(known) && !operations.has(known)) {
      operations.set(known, { polls: 0, prompt: known })
    }
    const operation = fault?.kind === 'video_lost' ? undefined : operations.get(known)
    if (operation === undefined) return refuse(response, 404, 'NOT_FOUND', `${name} is not found.`)
    if (path.endsWith(':download')) {
      const bytes = makeVideo(operation.prompt)
      response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': bytes.length })
      response.end(bytes)
      return
    }
    operation.polls += 1
    if (operation.polls < behaviour.videoPolls) return send(response, 200, { name, metadata: {} })
    if (fault?.kind === 'video_failed') {
      return send(response, 200, { name, done: true, error: { code: 13, message: 'Internal error.' } })
    }
    if (fault?.kind === 'video_empty') return send(response, 200, { name, done: true, response: {} })
    if (fault?.kind === 'safety') {
      const raiMediaFilteredReasons = ['The prompt was filtered.']
      return send(response, 200, { name, done: true, response: { generateVideoResponse: { raiMediaFilteredReasons } } })
    }
    const uri = `http://${request.headers.host}/v1beta/${name.replace(/^models\//, 'files/')}:download?alt=media`
    send(response, 200, {
      name,
      done: true,
      response: { generateVideoResponse: { generatedSamples: [{ video: { uri } }] } },
    })
  }

  const server: Server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      log(`failed: ${String(error)}`)
      if (!response.headersSent) refuse(response, 400, 'INVALID_ARGUMENT', String(error))
      else response.destroy()
    })
  })
  // With the 5 s of Node, a connection could close while a client in a busy process sends its next request.
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    behave,
    requests,
    sold,
    ticks,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Faults of answers that have no content, so that Gemini bills no output. */
const unpaid = new Set<Fault['kind'] | undefined>(['blocked', 'safety', 'empty', 'no_image', 'other'])

/** Answers like a failing Gemini. Returns false if the fault is in the content of the answer. */
async function misbehave(fault: Fault, response: ServerResponse): Promise<boolean> {
  switch (fault.kind) {
    case 'rate':
      refuse(response, 429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.', [
        ...(fault.retryDelay === 'none'
          ? []
          : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: fault.retryDelay ?? '1s' }]),
      ])
      return true
    case 'unavailable':
      refuse(response, 503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.')
      return true
    case 'bad_request':
      refuse(response, 400, 'INVALID_ARGUMENT', 'The request is invalid.')
      return true
    case 'too_many_states':
      refuse(response, 400, 'INVALID_ARGUMENT', 'The schema has too many states for serving.')
      return true
    case 'limit_zero':
    case 'day_spent':
      refuse(response, 429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.', [
        {
          '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
          violations: [
            {
              quotaMetric: 'generativelanguage.googleapis.com/generate_content_requests',
              quotaId: 'GenerateRequestsPerDayPerProjectPerModel',
              quotaDimensions: { location: 'global', model: 'stand-in' },
              quotaValue: fault.kind === 'limit_zero' ? '0' : '250',
            },
          ],
        },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: fault.retryDelay ?? '47s' },
      ])
      return true
    case 'reset':
      response.socket?.resetAndDestroy()
      return true
    case 'hang':
      await new Promise((resolve) => response.once('close', resolve))
      return true
    default:
      return false
  }
}

function generate(model: string, body: Any, fault: Fault | undefined, taskTicks: number): unknown {
  const parts = readParts(body)
  const prompt = readPrompt(body)
  const config = body.generationConfig ?? {}
  const promptTokenCount = Math.ceil(JSON.stringify(parts).length / 4)
  const reply = (part: object, finishReason = 'STOP') => {
    const candidatesTokenCount = Math.ceil(JSON.stringify(part).length / 4)
    return {
      candidates: [{ content: { role: 'model', parts: [part] }, finishReason, index: 0 }],
      usageMetadata: {
        promptTokenCount,
        candidatesTokenCount,
        totalTokenCount: promptTokenCount + candidatesTokenCount,
      },
      modelVersion: model,
    }
  }
  if (fault?.kind === 'blocked') {
    return { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: { promptTokenCount } }
  }
  if (fault?.kind === 'empty') return { usageMetadata: { promptTokenCount } }
  if (fault?.kind === 'safety') return { candidates: [{ finishReason: 'SAFETY', index: 0 }] }
  if (fault?.kind === 'no_image' || fault?.kind === 'other') {
    const finishReason = fault.kind.toUpperCase()
    return { candidates: [{ content: { role: 'model' }, finishReason, index: 0 }], usageMetadata: { promptTokenCount } }
  }
  if (fault?.kind === 'thoughts') return reply({ text: 'First, the lamp.', thought: true })
  if (config.responseModalities?.includes('IMAGE')) {
    const whole = redraw(readFiles(body)[0], prompt)
    const bytes = fault?.kind === 'cut_image' ? whole.subarray(0, whole.length / 2) : whole
    return reply({ inlineData: { mimeType: 'image/png', data: bytes.toString('base64') } })
  }
  const schema = config.responseJsonSchema ?? config.responseSchema
  const task = readTick(body)
  const value = task ? answerTick(task, taskTicks) : schema && makeValue(schema, schema, prompt)
  const text = value === undefined ? makeText(prompt, 200) : JSON.stringify(value)
  if (fault?.kind === 'truncated') return reply({ text: text.slice(0, text.length / 2) }, 'MAX_TOKENS')
  if (fault?.kind === 'wrong_json') return reply({ text: '{"unexpected": true}' })
  if (fault?.kind === 'broken_json') return reply({ text: text.slice(0, text.length / 2) })
  if (fault?.kind === 'fence') return reply({ text: `\`\`\`json\n${text}\n\`\`\`` })
  if (fault?.kind === 'tail') return reply({ text: `${text}."\n}` })
  if (fault?.kind === 'echo') return reply({ text: `${JSON.stringify(schema)}\n${text}` })
  return reply({ text })
}

/** The types of images that Gemini reads. */
const readable = ['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif']

type File = { mimeType: string; data: string }

/** Reads the files of a request. */
function readFiles(body: Any): File[] {
  return readParts(body).flatMap((part) => part.inlineData ?? part.inline_data ?? [])
}

/** Returns why Gemini would refuse the form of a request; undefined if it would not. */
async function findWrong(model: string, body: Any): Promise<string | undefined> {
  const parts = readParts(body)
  if (parts.length === 0) return '* GenerateContentRequest.contents: contents is not specified'
  for (const part of parts) {
    const file = part.inlineData ?? part.inline_data
    if ((file === undefined) === (part.text === undefined)) {
      return "Invalid value at 'contents[0].parts' (oneof), oneof field 'data' must have exactly one initialized field"
    }
    if (file !== undefined && !readable.includes(file.mimeType)) return `Unsupported MIME type: ${file.mimeType}`
    if (file !== undefined && !(await isImage(file))) return 'Unable to process input image. Please retry or report.'
  }
  const { responseModalities: modalities, responseMimeType, ...config } = body.generationConfig ?? {}
  const isImageModel = /image/.test(model)
  if (modalities?.includes('IMAGE') && !isImageModel) {
    return `Model does not support the requested response modalities: ${modalities.join(',').toLowerCase()}`
  }
  if (responseMimeType === 'application/json' && isImageModel) return 'JSON mode is not enabled for this model'
  if (responseMimeType !== 'application/json' && (config.responseJsonSchema ?? config.responseSchema)) {
    return "Response schema is only supported with response mime type 'application/json'"
  }
  return undefined
}

/** Whether a file is whole base64, and has the type that it declares. */
async function isImage({ mimeType, data }: File): Promise<boolean> {
  const bytes = Buffer.from(data, 'base64')
  if (bytes.toString('base64') !== data) return false
  const found = (await fileTypeFromBuffer(bytes))?.mime
  if (found !== mimeType || isCutImage(bytes, mimeType)) return false
  try {
    if (mimeType === 'image/png') PNG.sync.read(bytes)
    return true
  } catch {
    return false
  }
}

/** Draws an image from an image: a PNG in other colours, or squares whose colours derive from the bytes of any other type. */
function redraw(file: File | undefined, prompt: string): Buffer {
  if (file?.mimeType !== 'image/png') return makePng(file === undefined ? prompt : `${prompt} ${file.data}`)
  const png = PNG.sync.read(Buffer.from(file.data, 'base64'))
  const tint = digest(prompt)
  for (let at = 0; at < png.data.length; at++) {
    if (at % 4 < 3) png.data[at] = (png.data[at] ?? 0) ^ (tint[at % 4] ?? 0)
  }
  return PNG.sync.write(png)
}

const readParts = (body: Any): Any[] => (body.contents ?? []).flatMap((content: Any) => content.parts ?? [])
const readPrompt = (body: Any): string =>
  readParts(body)
    .map((part) => part.text ?? '')
    .join('\n')

/** The data of an agent task in the prompt of a tick. */
type TickData = { mandate: string; tick: number; max_ticks: number; notes: string[] }

/** Reads the data of a tick: the only JSON object of the prompt that has lines of its own. Undefined for other requests. */
function readTick(body: Any): TickData | undefined {
  const { properties } = body.generationConfig?.responseJsonSchema ?? {}
  if (!properties?.done || !properties.question || !properties.notes) return undefined
  const json = /^\{$[\s\S]*?^\}$/m.exec(readPrompt(body))?.[0]
  return json === undefined ? undefined : JSON.parse(json)
}

/**
 * Works on an agent task without a model. "in 5 ticks" in a mandate says how many ticks the task takes. After "ask me", the
 * first tick asks for a text; "ask me for a number", "ask me yes or no" and "ask me to choose red, green or blue" ask for
 * another kind of answer. The answer is a part of the next results.
 */
function answerTick({ mandate, tick, notes }: TickData, taskTicks: number): unknown {
  const asks = /\bask me\b/i.test(mandate)
  const ticks = Math.max(Number(/\bin (\d+) ticks?\b/i.exec(mandate)?.[1] ?? taskTicks), asks ? 2 : 1)
  const answers = notes.flatMap((note) => /^Answer of the user: (.*)$/m.exec(note)?.[1] ?? [])
  return {
    notes: [`Tick ${tick}: ${makeText(`${mandate}/note/${tick}`, 200)}`],
    result: [
      ...Array.from({ length: Math.min(tick, 20) }, (_, n) => makeText(`${mandate}/Part ${n + 1}`, 200)),
      ...answers.map((answer) => `You answered ${answer}.`),
    ].join('\n'),
    done: tick >= ticks,
    question: asks && tick === 1 ? makeQuestion(mandate) : null,
  }
}

function makeQuestion(mandate: string): unknown {
  if (/\bask me for a number\b/i.test(mandate)) return { text: 'How many shall it be?', kind: 'number' }
  if (/\bask me yes or no\b/i.test(mandate)) return { text: 'Shall I continue?', kind: 'boolean' }
  const choices = /\bask me to choose ([^.:;]+)/i.exec(mandate)?.[1]?.split(/, | or /)
  if (choices !== undefined) return { text: 'Which one shall it be?', kind: 'choice', choices }
  return { text: 'Please tell me more about it.', kind: 'text' }
}

/** Makes a value that satisfies a JSON Schema, derived from the prompt and from the path of the value. */
function makeValue(schema: Any, root: Any, seed: string): unknown {
  if (schema.$ref !== undefined) {
    const target = schema.$ref
      .split('/')
      .slice(1)
      .reduce((node: Any, key: string) => node?.[key], root)
    return makeValue(target, root, seed)
  }
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[digest(seed).readUInt32BE() % schema.enum.length]
  const [choice] = schema.anyOf ?? schema.oneOf ?? []
  if (choice !== undefined) return makeValue(choice, root, seed)
  const type = Array.isArray(schema.type) ? schema.type.find((one: string) => one !== 'null') : schema.type
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([key, value]) => [key, makeValue(value, root, `${seed}/${key}`)]),
      )
    case 'array': {
      const length = Math.min(schema.minItems ?? 2, schema.maxItems ?? 100)
      return Array.from({ length }, (_, n) => makeValue(schema.items ?? {}, root, `${seed}/${n}`))
    }
    case 'integer':
    case 'number': {
      const [least, most] = [schema.minimum ?? 0, schema.maximum ?? 100]
      return least + (digest(seed).readUInt32BE() % (Math.floor(most - least) + 1))
    }
    case 'boolean':
      return digest(seed).readUInt8() % 2 === 0
    case 'null':
      return null
    default:
      if (schema.format === 'uuid') return makeUuid(seed)
      if (schema.format === 'uri') return `https://example.com/${digest(seed).toString('hex').slice(0, 16)}`
      return makeText(seed, schema.maxLength ?? 200, schema.minLength ?? 0)
  }
}

const words =
  'the lamp turns over black water and a keeper reads what nobody sent while rain writes on the glass a door opens someone says your name'.split(
    ' ',
  )

function makeText(seed: string, maxLength: number, minLength = 0): string {
  const bytes = digest(seed)
  const title = seed.split('/').at(-1)?.slice(0, 40) ?? ''
  let text = `${title}: ${Array.from(bytes.subarray(0, 12), (byte) => words[byte % words.length]).join(' ')}`
  while (text.length < minLength) text += ` ${words[text.length % words.length]}`
  return text.slice(0, maxLength)
}

function makeUuid(seed: string): string {
  const hex = digest(seed).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const digest = (seed: string) => createHash('sha256').update(seed).digest()

/** Makes a real PNG, 160 × 90, half a kilobyte, of squares whose colours derive from the prompt. */
export function makePng(prompt: string): Buffer {
  const png = new PNG({ width: 160, height: 90 })
  const [r = 0, g = 0, b = 0, dr = 0, dg = 0, db = 0] = digest(prompt)
  for (let y = 0; y < png.height; y++) {
    for (let x = 0; x < png.width; x++) {
      const [column, row] = [x >> 4, y >> 4]
      const colour = [r + column * dr, g + row * dg, b + (column + row) * db, 255]
      png.data.set(colour, (y * png.width + x) * 4)
    }
  }
  return PNG.sync.write(png, { colorType: 2, filterType: 0, deflateStrategy: 0 })
}

/** Makes the boxes of an MP4 without a picture. */
function makeVideo(prompt: string): Buffer {
  const box = (type: string, data: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length + 8)
    return Buffer.concat([length, Buffer.from(type, 'latin1'), data])
  }
  return Buffer.concat([
    box('ftyp', Buffer.concat([Buffer.from('isom', 'latin1'), Buffer.alloc(4), Buffer.from('isommp41', 'latin1')])),
    box('mdat', Buffer.concat(Array.from({ length: 64 }, (_, n) => digest(`${prompt}/${n}`)))),
  ])
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
  response.end(JSON.stringify(body))
}

function refuse(
  response: ServerResponse,
  code: number,
  status: string,
  message: string,
  details: unknown[] = [],
): void {
  send(response, code, { error: { code, message, status, details } })
}
