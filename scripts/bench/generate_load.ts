import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import autocannon from 'autocannon'
import type { Load, LoadResult, Order, Probe } from './load.ts'

// The load generator as a process. Its parent sends orders, and receives a result for each.

let stop = () => {}
process.on('message', async (order: Order) => {
  if ('stop' in order) return stop()
  const result =
    'load' in order
      ? await fire(order.load)
      : await pace(
          order.probe,
          new Promise<void>((resolve) => {
            stop = resolve
          }),
        )
  process.send?.(result)
})
process.on('disconnect', () => process.exit())

async function fire(load: Load): Promise<LoadResult> {
  const watch = stopwatch()
  const requests = load.requests.map(({ body, ...request }) =>
    body?.includes('{{new:')
      ? { ...request, setupRequest: freshIds(body) }
      : { ...request, ...(body !== undefined && { body }) },
  )
  let clients = 0
  const done = Promise.withResolvers<void>()
  const options: autocannon.Options = {
    url: load.url,
    connections: load.connections,
    duration: load.seconds,
    sampleInt: 100,
    timeout: 30,
    setupClient: (client) => {
      const number = clients++
      const own = load.inOrder ? requests : requests.filter((_request, index) => index % load.connections === number)
      // Requests in order are those of one caller.
      const from = (index: number) => addressOf(load.inOrder ? number : number + index * load.connections)
      client.setRequests(
        own.map((one, index) => ({ ...one, headers: { ...one.headers, 'x-forwarded-for': from(index) } })),
      )
    },
  }
  const instance = autocannon(options, (error) => (error ? done.reject(error) : done.resolve()))
  instance.on('response', (_client, status, bytes, latency) => watch.count(status, bytes, latency))
  instance.on('reqError', () => watch.count(0, 0, 0))
  instance.on('start', () => watch.start())
  await sleep(load.seconds * 1000)
  const result = watch.stop()
  instance.stop()
  await done.promise
  return result
}

/** Returns the address of a caller. */
function addressOf(caller: number): string {
  return `10.${(caller >> 16) & 255}.${(caller >> 8) & 255}.${caller & 255}`
}

/** Inserts new UUIDs into the body; the context belongs to one connection, for one turn of its requests. */
function freshIds(body: string): (request: autocannon.Request, context: object) => autocannon.Request {
  const parts = body.split(/\{\{new:(\w+)\}\}/)
  return (request, context) => {
    const ids = context as Record<string, string>
    const id = (name: string) => {
      ids[name] ??= crypto.randomUUID()
      return ids[name]
    }
    request.body = parts.map((part, index) => (index % 2 === 0 ? part : id(part))).join('')
    return request
  }
}

async function pace(probe: Probe, stopped: Promise<unknown>): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true })
  const watch = stopwatch()
  const open = new Set<Promise<void>>()
  let stopping = false
  void stopped.then(() => {
    stopping = true
  })
  watch.start()
  const startedAt = performance.now()
  for (let sent = 0; !stopping; sent++) {
    const due = startedAt + (sent * 1000) / probe.perSecond
    if (due > performance.now()) await sleep(due - performance.now())
    const request = probe.requests[sent % probe.requests.length]
    if (!request) throw new Error('A probe needs a request')
    const answered = new Promise<void>((resolve) => {
      const asked = performance.now()
      const end = (status: number) => {
        watch.count(status, 0, performance.now() - asked)
        resolve()
      }
      const headers = { ...request.headers, 'x-forwarded-for': addressOf(sent % 65_536) }
      get(`${probe.url}${request.path}`, { agent, headers, timeout: 30_000 }, (response) => {
        response.resume().once('end', () => end(response.statusCode ?? 0))
      }).once('error', () => end(0))
    })
    open.add(answered)
    void answered.then(() => open.delete(answered))
  }
  await Promise.all(open)
  agent.destroy()
  return watch.stop()
}

function stopwatch() {
  const latencies: number[] = []
  let bytes = 0
  let failures = 0
  let startedAt = 0
  let cpu = process.cpuUsage()
  let done = false
  return {
    start: () => {
      startedAt = performance.now()
      cpu = process.cpuUsage()
    },
    count: (status: number, size: number, latency: number) => {
      if (done) return
      if (status < 200 || status > 299) failures += 1
      else latencies.push(latency)
      bytes += size
    },
    stop: (): LoadResult => {
      done = true
      const seconds = (performance.now() - startedAt) / 1000
      const used = process.cpuUsage(cpu)
      latencies.sort((a, b) => a - b)
      const at = (share: number) =>
        latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
      return {
        perSecond: latencies.length / seconds,
        answers: latencies.length,
        p50: at(0.5),
        p99: at(0.99),
        max: at(1),
        bytesPerAnswer: bytes / latencies.length,
        failures,
        generatorCpu: (used.user + used.system) / 1e6 / seconds,
      }
    },
  }
}
