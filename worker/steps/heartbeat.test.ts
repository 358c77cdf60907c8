import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { createDb, type Db } from '../shared/db.ts'
import type { ClaimedStep } from './claim.ts'
import { createExchange } from './exchange.ts'
import { beatMs, createHeartbeat, type Heartbeat, type NamedClaim } from './heartbeat.ts'

type Answer = { stop: { id: number; fence: number }[]; wake_in_ms: number | null }

const beats: Heartbeat[] = []
afterEach(() => {
  for (const heartbeat of beats.splice(0)) heartbeat.stop()
})

describe('with a door that answers at once', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function open(answer: () => Answer | Promise<Answer>, claims: NamedClaim[] = []) {
    const calls: Record<string, unknown>[] = []
    const lines: { msg: string; reason: string }[] = []
    const unwanted: number[] = []
    const onReady = vi.fn()
    const db: Db = {
      call: async (name, args = {}) => {
        calls.push({ name, ...args })
        return [{ heartbeat: await answer() }] as never
      },
    }
    const heartbeat = createHeartbeat({
      db,
      logger: pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
      workerId: 'w',
      types: ['x'],
      listClaims: () => claims,
      onUnwanted: (fence) => void unwanted.push(fence),
      onReady,
    })
    beats.push(heartbeat)
    return { heartbeat, calls, lines, unwanted, onReady, claims }
  }
  const quiet = (): Answer => ({ stop: [], wake_in_ms: null })

  test('names the claims at once, and then each second', async () => {
    const { heartbeat, calls, claims } = open(quiet, [{ id: 1, fence: 2, progress: 0.5 }])
    heartbeat.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(calls).toEqual([
      { name: 'worker.heartbeat', worker_id: 'w', running: '[{"id":1,"fence":2,"progress":0.5}]', types: ['x'] },
    ])
    claims.splice(0)
    await vi.advanceTimersByTimeAsync(beatMs)
    expect(calls).toHaveLength(2)
    expect(calls[1]).toMatchObject({ running: '[]' })
  })

  test('reports the claims whose results the database will refuse', async () => {
    const { heartbeat, unwanted } = open(() => ({
      stop: [
        { id: 1, fence: 11 },
        { id: 2, fence: 12 },
      ],
      wake_in_ms: null,
    }))
    heartbeat.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(unwanted).toEqual([11, 12])
  })

  test.each([
    [0, 1],
    [20, 0],
    [null, 0],
  ])('a step that is due in %s ms: tells %i times that one is ready', async (wake_in_ms, times) => {
    const { heartbeat, onReady } = open(() => ({ stop: [], wake_in_ms }))
    heartbeat.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(onReady).toHaveBeenCalledTimes(times)
  })

  test('logs a beat that fails, and sends the next beat', async () => {
    const { heartbeat, calls, lines } = open(() => Promise.reject(new Error('away')))
    heartbeat.start()
    await vi.advanceTimersByTimeAsync(2 * beatMs)
    expect(calls).toHaveLength(3)
    expect(lines.map(({ msg, reason }) => [msg, reason])).toEqual(
      Array.from({ length: 3 }, () => ['Heartbeat failed', 'away']),
    )
  })

  test('sends no beat while another beat is running', async () => {
    const { heartbeat, calls } = open(() => new Promise(() => {}))
    heartbeat.start()
    await vi.advanceTimersByTimeAsync(5 * beatMs)
    expect(calls).toHaveLength(1)
  })

  test('sends no beat after a stop, and still handles the answer of the last beat', async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const { heartbeat, calls, unwanted } = open(() => promise)
    heartbeat.start()
    heartbeat.stop()
    resolve({ stop: [{ id: 1, fence: 1 }], wake_in_ms: null })
    await vi.advanceTimersByTimeAsync(5 * beatMs)
    expect([calls.length, unwanted]).toEqual([1, [1]])
  })
})

describe('with Postgres', () => {
  let database: TestDatabase
  let admin: pg.Client
  let pool: pg.Pool
  const logger = pino({ level: 'silent' })

  beforeAll(async () => {
    database = await createDatabase()
    admin = await database.connect()
    await admin.query("insert into job_types (name, backoff) values ('x', '1 ms')")
    await admin.query(`select set_config('request.jwt.claims', '{"role": "service_role"}', false)`)
    pool = database.openPool()
  })
  afterAll(async () => {
    await database.drop()
  })

  /** A worker with one claimed step of a new run. */
  async function claimOne() {
    const spec = JSON.stringify({ key: 'root', type: 'group', steps: [{ key: 'a', type: 'x' }] })
    const run = Number((await admin.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id)
    const door = { db: createDb(pool), logger, workerId: crypto.randomUUID(), types: ['x'] }
    const exchanged = await createExchange(door).run(1)
    return { run, door, step: exchanged?.steps[0] as ClaimedStep }
  }
  const readStep = async (id: number) =>
    (await admin.query('select status, progress, error_slug from jobs where id = $1', [id])).rows[0]
  const readClaim = async (id: number) =>
    (await admin.query('select status, worker_id, failures from app.job_queue where job_id = $1', [id])).rows[0]
  function beat(door: Awaited<ReturnType<typeof claimOne>>['door'], claims: NamedClaim[]) {
    const onUnwanted = vi.fn()
    const onReady = vi.fn()
    const heartbeat = createHeartbeat({ ...door, listClaims: () => claims, onUnwanted, onReady })
    beats.push(heartbeat)
    heartbeat.start()
    return { onUnwanted, onReady }
  }

  test('clients see a claimed step running, with its progress, and the worker is known with its types', async () => {
    const { run, door, step } = await claimOne()
    beat(door, [{ id: step.id, fence: step.fence, progress: 0.5 }])
    await expect.poll(() => readStep(step.id)).toMatchObject({ status: 'running', progress: 0.5 })
    const { rows } = await admin.query('select types from app.workers where id = $1', [door.workerId])
    expect(rows).toEqual([{ types: ['x'] }])
    await admin.query('select cancel_job($1)', [run])
  })

  test('a step that a beat does not name is lost after the lease, counts a loss and is ready again', async () => {
    const { run, door, step } = await claimOne()
    await admin.query("update app.job_queue set claimed_at = claimed_at - interval '1 hour' where job_id = $1", [
      step.id,
    ])
    await admin.query("update app.workers set started_at = now() - interval '1 hour', beating_since = started_at")
    await admin.query("update app.workers set beating_since = now() - interval '1 hour'")
    const { onReady, onUnwanted } = beat(door, [])
    await expect
      .poll(() => readClaim(step.id), { timeout: 5000 })
      .toMatchObject({ status: 'queued', worker_id: null, failures: 0 })
    await expect.poll(() => onReady.mock.calls.length, { timeout: 5000 }).toBeGreaterThan(0)
    expect(onUnwanted).not.toHaveBeenCalled()
    await admin.query('select cancel_job($1)', [run])
  })

  test('reports a step of a cancelled run', async () => {
    const { run, door, step } = await claimOne()
    const { onUnwanted } = beat(door, [{ id: step.id, fence: step.fence, progress: 0 }])
    await expect.poll(() => readStep(step.id)).toMatchObject({ status: 'running' })
    expect(onUnwanted).not.toHaveBeenCalled()
    await admin.query('select cancel_job($1)', [run])
    await expect.poll(() => onUnwanted.mock.calls[0], { timeout: 5000 }).toEqual([step.fence])
  })
})
