import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../local/ports.ts'
import { spacesEnv, startObjectStore } from '../../local/services.ts'
import { databaseUrl, prepareDatabase } from '../../testing/cluster.ts'
import { startTestSidecar } from '../../testing/sidecar.ts'
import { atMost, type Figure, machine, type Report, say } from '../report.ts'
import { withStage } from '../stage.ts'
import type { Order, Outcome } from './generate_uploads.ts'

type Memory = { idle: number; peak: number }

/**
 * Measures how much memory a sidecar process needs for many large uploads at once, all of different bytes, with a real
 * Postgres and a real S3 server.
 */
export async function benchmarkUploads({ count, megabytes }: { count: number; megabytes: number }): Promise<Report> {
  const bytes = megabytes * 1_000_000
  const environment = machine()
  const generator = fork(join(import.meta.dirname, 'generate_uploads.ts'))
  try {
    return await withStage(async ({ cluster, connect }) => {
      await prepareDatabase(cluster, 'plinth')
      const db = await connect('plinth')
      await db.query("update app.settings set client_address_header = 'x-client-address', asset_max_bytes = $1", [
        bytes,
      ])
      const storePort = await freePort()
      await startObjectStore(cluster.home, storePort)

      const few = await measure(10)
      const many = await measure(count)
      const { rows } = await db.query<{ assets: number }>('select count(*)::integer as assets from public.assets')
      const expected = 2 * count + 2
      if (rows[0]?.assets !== expected) throw new Error(`${expected} uploads made ${rows[0]?.assets} assets`)

      const name = `${count} uploads of ${megabytes} MB`
      return {
        title: 'bench:uploads',
        bars: [
          atMost(`${name}, all at once: memory on top of an idle sidecar`, many.peak - many.idle, 150, 'MiB'),
          atMost(
            `${name}, all at once: that memory, against 10 at a time`,
            (many.peak - many.idle) / (few.peak - few.idle),
            4,
          ),
        ],
        figures: [...figures('all at once', many, bytes), ...figures('10 at a time', few, bytes)],
        environment: {
          ...environment,
          store: '@20minutes/s3rver, on the same machine and disk; it is one Node process, and hashes, too',
          spooled_to: tmpdir(),
          load: 'streams in a process of its own, which holds one chunk of 64 KiB; each upload has its own client address',
        },
      }

      /** Starts a new sidecar process for each measurement, so that no memory is left from an earlier one. */
      async function measure(parallel: number): Promise<Memory & Outcome> {
        say(`${count} uploads of ${megabytes} MB, ${parallel} at a time …`)
        const sidecar = await startTestSidecar({
          databaseUrl: databaseUrl(cluster, 'plinth', 'sidecar'),
          storePort,
          env: { ...spacesEnv(storePort), SPACES_TIMEOUT_SECONDS: '60', LOG_LEVEL: 'warn' },
        })
        try {
          const order = { url: `${sidecar.url}/api/assets`, parallel, count, bytes }
          // The first upload loads code.
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
    })
  } finally {
    if (generator.connected) generator.disconnect()
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
}

function figures(when: string, { idle, peak, times, total }: Memory & Outcome, bytes: number): Figure[] {
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

/** Returns the resident memory in MiB. */
function memoryOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)?.[1]) / 1024
}
