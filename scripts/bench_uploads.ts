import { execFile, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { atMost, type Figure, machine, print } from './bench/report.ts'
import { openHome } from './local/home.ts'
import { freePort } from './local/ports.ts'
import { startPostgres } from './local/postgres.ts'
import { stopStale } from './local/process.ts'
import { spacesEnv, startObjectStore } from './local/services.ts'
import { type ClusterInfo, databaseUrl, prepareDatabase } from './testing/cluster.ts'
import { startTestSidecar } from './testing/sidecar.ts'

/**
 * `npm run bench:uploads`: how much memory a sidecar process takes for many large uploads at once, all of different
 * bytes, through a real Postgres and a real S3 server. `-- --json` prints one object.
 */

/** Uploads of `bytes` each, this many at a time, until `count` are done. */
type Order = { url: string; parallel: number; count: number; bytes: number }
/** Milliseconds of each upload, and of all of them. */
type Outcome = { times: number[]; total: number }

if (process.argv[2] === 'generate') generate()
else await measure()

async function measure(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      count: { type: 'string', default: '100' },
      megabytes: { type: 'string', default: '20' },
    },
  })
  const count = Number(options.count)
  const bytes = Number(options.megabytes) * 1_000_000
  const environment = machine()
  const say = (line: string) => !options.json && console.log(line)

  const home = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
  const generator = fork(import.meta.filename, ['generate'])
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= (async () => {
      if (generator.connected) generator.disconnect()
      await stopStale(home)
      rmSync(home, { recursive: true, force: true })
    })()
    return stopping
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().finally(() => process.exit(1)))
  try {
    await promisify(execFile)('chmod', ['755', home])
    const cluster: ClusterInfo = { home, port: await freePort(), secrets: openHome(home) }
    await startPostgres({ home, port: cluster.port, adminPassword: cluster.secrets.adminPassword }, () => {})
    await prepareDatabase(cluster, 'plinth')
    const db = new pg.Client(databaseUrl(cluster, 'plinth'))
    await db.connect()
    await db.query('update app.settings set asset_uploads_per_minute = 1000000, asset_max_bytes = $1', [bytes])
    const storePort = await freePort()
    await startObjectStore(home, storePort)

    const few = await measureOne(10)
    const many = await measureOne(count)
    const { rows } = await db.query<{ assets: number }>('select count(*)::integer as assets from public.assets')
    if (rows[0]?.assets !== 2 * count + 2) throw new Error(`${rows[0]?.assets} assets came of ${2 * count + 2} uploads`)
    await db.end()

    const name = `${count} uploads of ${options.megabytes} MB`
    print(
      {
        title: 'bench:uploads',
        bars: [
          atMost(`${name}, all at once: memory on top of an idle sidecar`, many.peak - many.idle, 150, 'MiB'),
          atMost(
            `${name}, all at once: that memory, against 10 at a time`,
            (many.peak - many.idle) / (few.peak - few.idle),
            4,
          ),
        ],
        figures: [...figures('all at once', many), ...figures('10 at a time', few)],
        environment: {
          ...environment,
          store: '@20minutes/s3rver, on the same machine and disk; it is one Node process, and hashes, too',
          spooled_to: tmpdir(),
          load: 'streams in a process of its own, which holds one chunk of 64 KiB',
        },
      },
      options.json,
    )

    /** A sidecar process of its own, so that no memory is one that an earlier run has taken. */
    async function measureOne(parallel: number) {
      say(`${count} uploads of ${options.megabytes} MB, ${parallel} at a time …`)
      const sidecar = await startTestSidecar({
        databaseUrl: databaseUrl(cluster, 'plinth', 'sidecar'),
        storePort,
        env: { ...spacesEnv(storePort), SPACES_TIMEOUT_SECONDS: '60', LOG_LEVEL: 'warn' },
      })
      try {
        const order = { url: `${sidecar.url}/api/assets`, parallel, count, bytes }
        // What the first upload loads is no matter of how many there are.
        await ask({ ...order, count: 1, bytes: 1000 })
        await sleep(500)
        const idle = memoryOf(sidecar.child.pid)
        let peak = idle
        const watch = setInterval(() => {
          peak = Math.max(peak, memoryOf(sidecar.child.pid))
        }, 25)
        const outcome = await ask(order).finally(() => clearInterval(watch))
        return { idle, peak, ...outcome }
      } finally {
        await sidecar.stop()
      }
    }
  } finally {
    await stop()
  }

  async function ask(order: Order): Promise<Outcome> {
    const answer = once(generator, 'message')
    const ended = once(generator, 'exit').then(([code]) =>
      Promise.reject(new Error(`The load ended with code ${code}`)),
    )
    generator.send(order)
    const [outcome] = (await Promise.race([answer, ended])) as [Outcome]
    return outcome
  }

  function figures(when: string, { idle, peak, times, total }: Outcome & { idle: number; peak: number }): Figure[] {
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
    return [
      { name: `${when}: memory of the idle sidecar`, value: idle, unit: 'MiB' },
      { name: `${when}: memory at its peak`, value: peak, unit: 'MiB' },
      { name: `${when}: throughput`, value: (times.length * bytes) / 1000 / total, unit: 'MB/s' },
      { name: `${when}: p50 of an upload`, value: at(0.5) / 1000, unit: 's' },
      { name: `${when}: p99 of an upload`, value: at(0.99) / 1000, unit: 's' },
    ]
  }
}

/** Resident memory, in MiB. */
function memoryOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)?.[1]) / 1024
}

/** The load: sends what it is ordered to, and says how long it took. */
function generate(): void {
  const agent = new Agent({ keepAlive: true })
  const chunk = randomBytes(64 * 1024)

  async function upload({ url, bytes }: Order): Promise<number> {
    const head = Buffer.from('--cut\r\nContent-Disposition: form-data; name="file"; filename="x.gif"\r\n\r\n')
    const tail = Buffer.from('\r\n--cut--\r\n')
    function* body() {
      yield head
      const first = Buffer.concat([Buffer.from('GIF89a'), randomBytes(100)])
      yield first
      for (let rest = bytes - first.length; rest > 0; rest -= chunk.length)
        yield rest < chunk.length ? chunk.subarray(0, rest) : chunk
      yield tail
    }
    const startedAt = performance.now()
    const asked = request(url, {
      agent,
      method: 'POST',
      headers: {
        'content-type': 'multipart/form-data; boundary=cut',
        'content-length': head.length + bytes + tail.length,
      },
    })
    const answered = once(asked, 'response')
    await pipeline(Readable.from(body(), { objectMode: false }), asked)
    const [response] = await answered
    const text = (await response.setEncoding('utf8').toArray()).join('')
    if (response.statusCode !== 201) throw new Error(`An upload was refused: ${text}`)
    return performance.now() - startedAt
  }

  process.on('message', async (order: Order) => {
    const startedAt = performance.now()
    const times: number[] = []
    let started = 0
    const lane = async () => {
      while (started++ < order.count) times.push(await upload(order))
    }
    await Promise.all(Array.from({ length: order.parallel }, lane))
    process.send?.({ times, total: performance.now() - startedAt } satisfies Outcome)
  })
  process.on('disconnect', () => process.exit())
}
