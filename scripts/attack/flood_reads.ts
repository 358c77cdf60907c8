import { Agent, get, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

// One anonymous caller sends many expensive reads at the same time, so that the reads hold every connection of the API's pool.

type Answer = { status: number; milliseconds: number; body: string }

export type ReadFlood = {
  /** Milliseconds that another caller waits for an answer, without the flood and during it. */
  quiet: { p50: number; p99: number }
  flooded: { p50: number; p99: number }
  /** How many answers of each status the other caller got during the flood, and the flood itself. */
  statuses: Record<number, number>
  floodStatuses: Record<number, number>
}

/**
 * Measures a reader, first alone, and then while another caller keeps `parallel` expensive reads open: half of them with
 * a regular expression that backtracks, half of them with flows and agents embedded in each other.
 */
export async function floodReads(options: {
  /** The URL below which PostgREST answers, and the anonymous key. */
  url: string
  anonKey: string
  /** Headers of the reader; it is anonymous by default. */
  reader?: Record<string, string>
  path?: string
  parallel?: number
  seconds?: number
  perSecond?: number
}): Promise<ReadFlood> {
  const { url, anonKey, reader = {}, path = '/plans?select=id', parallel = 80, seconds = 10, perSecond = 25 } = options
  const apikey = { apikey: anonKey }
  const attacker = new Agent({ keepAlive: true, localAddress: '127.0.0.66' })
  const visitor = new Agent({ keepAlive: true, localAddress: '127.0.0.77' })
  const reads = await prepareReads(url, apikey, attacker)
  const read = (read: string) => ask(`${url}${read}`, apikey, attacker)
  const watch = async (duration: number) => {
    const answers: Promise<Answer>[] = []
    const end = performance.now() + duration * 1000
    for (let due = performance.now(); due < end; due += 1000 / perSecond) {
      await sleep(Math.max(0, due - performance.now()))
      answers.push(ask(`${url}${path}`, { ...apikey, ...reader }, visitor))
    }
    return Promise.all(answers)
  }

  await watch(1)
  const quiet = await watch(seconds)

  const floodStatuses: Record<number, number> = {}
  let isOver = false
  const flood = Array.from({ length: parallel }, async (_, number) => {
    while (!isOver) {
      const { status } = await read(reads[number % reads.length] ?? '')
      floodStatuses[status] = (floodStatuses[status] ?? 0) + 1
    }
  })
  await sleep(1000)
  const flooded = await watch(seconds)
  isOver = true
  await Promise.all(flood)
  attacker.destroy()
  visitor.destroy()
  const statuses = Object.groupBy(flooded, ({ status }) => status)
  return {
    quiet: percentiles(quiet),
    flooded: percentiles(flooded),
    statuses: Object.fromEntries(Object.entries(statuses).map(([status, answers]) => [status, answers?.length ?? 0])),
    floodStatuses,
  }
}

async function prepareReads(url: string, headers: Record<string, string>, agent: Agent): Promise<string[]> {
  const agents = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`a${n}`, { name: 'a' }]))
  const flow = { name: 'flood', description: 'a'.repeat(2999), nodes: [], edges: [], agents }
  const share_id = crypto.randomUUID()
  const body = JSON.stringify({ flow, share_id, visibility: 'public' })
  const { status, body: answer } = await post(`${url}/rpc/share_flow`, headers, agent, body)
  if (status !== 200) throw new Error(`The flow could not be shared: ${status} ${answer}`)
  const regex = encodeURIComponent(String.raw`match.^(a+)(a+)(a+)\1\2\3$`)
  return [
    `/flows?select=id&description=${regex}`,
    '/flows?select=id,agents(id,flows(id,agents(id,flows(id,agents(id,flows(id))))))',
  ]
}

function ask(url: string, headers: Record<string, string>, agent: Agent): Promise<Answer> {
  const begun = performance.now()
  return new Promise((resolve) => {
    const end = (status: number, body = '') => resolve({ status, milliseconds: performance.now() - begun, body })
    get(url, { agent, headers }, (response) => {
      response
        .resume()
        .once('end', () => end(response.statusCode ?? 0))
        .once('error', () => end(0))
    }).once('error', () => end(0))
  })
}

function post(url: string, headers: Record<string, string>, agent: Agent, body: string): Promise<Answer> {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json' } })
    sent.once('error', reject).once('response', async (response) => {
      let text = ''
      for await (const part of response.setEncoding('utf8')) text += part
      resolve({ status: response.statusCode ?? 0, milliseconds: performance.now() - begun, body: text })
    })
    sent.end(body)
  })
}

function percentiles(answers: Answer[]): { p50: number; p99: number } {
  const sorted = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}
