import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { createDb, type Db } from '../shared/db.ts'
import type { ClaimedStep } from '../steps/claim.ts'
import { createExchange } from '../steps/exchange.ts'
import { type BeatOptions, type Beats, beatMs, createBeats } from './beats.ts'
import { type ClaimsTable, createClaimsTable } from './claims_table.ts'

type Answer = { stop: { id: number; fence: number }[]; wake_in_ms: number | null; lease_ms: number }

const opened: Beats[] = []
afterEach(() => {
  // A beat of these tests may never have an answer.
  for (const beats of opened.splice(0)) void beats.stop()
})

describe('with a door that answers at once', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  type Call = { name: string; args: Record<string, unknown>; timeoutMs: number | undefined }

  function open(
    answer: () => Answer | Promise<Answer>,
    sweep: () => Promise<number> = async () => 0,
    publish: () => Promise<number> = async () => 0,
  ) {
    const calls: Call[] = []
    const lines: { msg: string; reason: string }[] = []
    const onUnwanted = vi.fn()
    const onReady = vi.fn()
    const table = createClaimsTable(['x'], 4)
    const call: Db['call'] = async (name, args = {}, { timeoutMs } = {}) => {
      calls.push({ name, args, timeoutMs })
      if (name === 'worker.requeue_lost_steps') return [{ requeue_lost_steps: await sweep() }] as never
      if (name === 'worker.publish_runs') return [{ publish_runs: await publish() }] as never
      return [{ send_heartbeat: await answer() }] as never
    }
    const beats = createBeats({
      ...{
        db: { call },
        sweepDb: { call },
        workerId: 'w',
        versions: { x: 2 },
        memory: table.memory,
        onUnwanted,
        onReady,
      },
      logger: pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    })
    opened.push(beats)
    const named = (name: string) => calls.filter((one) => one.name === `worker.${name}`)
    return {
      ...{ beats, table, lines, onUnwanted, onReady },
      heartbeats: () => named('send_heartbeat'),
      sweeps: () => named('requeue_lost_steps'),
      publications: () => named('publish_runs'),
      /** Lets the time pass; the main thread ticks twice a second. */
      async passSeconds(seconds: number) {
        for (let n = 0; n < 2 * seconds; n++) {
          table.tick()
          await vi.advanceTimersByTimeAsync(beatMs / 2)
        }
      },
    }
  }
  const quiet = (more: Partial<Answer> = {}): Answer => ({ stop: [], wake_in_ms: null, lease_ms: 30_000, ...more })

  test('sends the claims and the versions at once, and then each second', async () => {
    const { beats, heartbeats, table } = open(quiet)
    table.add({ id: 1, fence: 2, type: 'x' })
    table.add({ id: 3, fence: 4, type: 'x' })
    table.begin(4)
    table.report(4, 0.5)
    beats.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(heartbeats()[0]?.args).toEqual({
      worker_id: 'w',
      running: '[{"id":1,"fence":2,"progress":0,"waiting":true},{"id":3,"fence":4,"progress":0.5}]',
      versions: '{"x":2}',
    })
    for (const fence of [2, 4]) table.remove(fence)
    await vi.advanceTimersByTimeAsync(beatMs)
    expect(heartbeats().map(({ args }) => args['running'])).toEqual([expect.any(String), '[]'])
  })

  test('reports the claims whose results the database will refuse', async () => {
    const stop = [
      { id: 1, fence: 11 },
      { id: 2, fence: 12 },
    ]
    const { beats, onUnwanted } = open(() => quiet({ stop }))
    beats.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(onUnwanted.mock.calls).toEqual([[[11, 12]]])
  })

  test.each([
    [0, 1],
    [20, 0],
    [null, 0],
  ])('a step that is due in %s ms: tells %i times that one is ready', async (wake_in_ms, times) => {
    const { beats, onReady } = open(() => quiet({ wake_in_ms }))
    beats.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(onReady).toHaveBeenCalledTimes(times)
  })

  test('publishes changed runs at once and then each second, and goes on without a pause while there are more', async () => {
    const counts = [0, 300, 300, 7]
    const { beats, publications } = open(quiet, undefined, async () => counts.shift() ?? 0)
    beats.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(publications()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(beatMs + 10)
    expect(publications()).toHaveLength(4)
    await vi.advanceTimersByTimeAsync(beatMs)
    expect(publications()).toHaveLength(5)
  })

  test('logs that runs cannot be published, and publishes a second later', async () => {
    let isAway = true
    const { beats, publications, lines, heartbeats } = open(quiet, undefined, async () => {
      if (isAway) throw new Error('refused')
      return 1
    })
    beats.start()
    await vi.advanceTimersByTimeAsync(0)
    isAway = false
    await vi.advanceTimersByTimeAsync(beatMs)
    expect(publications()).toHaveLength(2)
    expect(heartbeats()).toHaveLength(2)
    expect(lines.map(({ msg }) => msg)).toEqual(['Changed runs could not be published'])
  })

  test('logs why heartbeats fail, once until the reason changes, and sends the next ones', async () => {
    const reasons = ['away', 'away', 'refused', undefined, 'refused']
    const { beats, heartbeats, lines } = open(() => {
      const reason = reasons.shift()
      if (reason !== undefined) throw new Error(reason)
      return quiet()
    })
    beats.start()
    await vi.advanceTimersByTimeAsync(4 * beatMs)
    expect(heartbeats()).toHaveLength(5)
    expect(lines.map(({ msg, reason }) => [msg, reason])).toEqual([
      ['Heartbeat failed', 'away'],
      ['Heartbeat failed', 'refused'],
      ['Heartbeat failed', 'refused'],
    ])
  })

  test('waits for an answer for a third of the lease, at most 5 s, and then sends the next heartbeat at once', async () => {
    const { beats, heartbeats } = open(async () => {
      await new Promise((resolve) => setTimeout(resolve, 2 * beatMs))
      return quiet({ lease_ms: heartbeats().length === 1 ? 3000 : 60_000 })
    })
    beats.start()
    await vi.advanceTimersByTimeAsync(5 * beatMs)
    expect(heartbeats().map(({ timeoutMs }) => timeoutMs)).toEqual([5000, 1000, 5000])
  })

  test('sends no heartbeat after a stop, which waits for the last answer', async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const { beats, heartbeats, onUnwanted } = open(() => promise)
    beats.start()
    const stopped = vi.fn()
    void beats.stop().then(stopped)
    await vi.advanceTimersByTimeAsync(5 * beatMs)
    expect(stopped).not.toHaveBeenCalled()
    resolve(quiet({ stop: [{ id: 1, fence: 1 }] }))
    await vi.advanceTimersByTimeAsync(5 * beatMs)
    expect([heartbeats().length, onUnwanted.mock.calls, stopped.mock.calls.length]).toEqual([1, [[[1]]], 1])
  })

  test('logs how many lost steps a sweep has requeued', async () => {
    const counts = [0, 2]
    const { beats, lines, passSeconds } = open(quiet, async () => counts.shift() ?? 0)
    beats.start()
    await passSeconds(8)
    expect(counts).toEqual([])
    expect(lines).toMatchObject([{ msg: 'Lost steps were requeued', steps: 2 }])
  })

  test('a sweep that takes long delays no heartbeat, and the next sweep begins a second after it', async () => {
    const { beats, heartbeats, sweeps, passSeconds } = open(quiet, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5 * beatMs))
      return 0
    })
    beats.start()
    await passSeconds(7)
    expect([heartbeats().length, sweeps().length]).toEqual([8, 1])
    await passSeconds(2)
    expect(sweeps()).toHaveLength(2)
  })

  test('does not sweep during a stall of the main thread, and not directly after it', async () => {
    const { beats, heartbeats, sweeps, passSeconds } = open(quiet)
    beats.start()
    await passSeconds(3)
    const before = sweeps().length
    expect(before).toBeGreaterThan(0)
    await vi.advanceTimersByTimeAsync(8 * beatMs)
    // The first sweep of these seconds still sees a tick from before the stall.
    const during = sweeps().length
    expect(during - before).toBeLessThanOrEqual(1)
    expect(heartbeats()).toHaveLength(12)
    await passSeconds(1)
    expect(sweeps()).toHaveLength(during)
    await passSeconds(2)
    expect(sweeps().length).toBeGreaterThan(during)
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
    await admin.query("update app.settings set job_lease = '3 seconds'")
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
    const exchanged = await createExchange({ ...door, onHandedIn: () => {} }).run(1)
    return { run, door, step: exchanged?.steps[0] as ClaimedStep }
  }
  const readStep = async (id: number) =>
    (await admin.query('select status, progress, error_slug from jobs where id = $1', [id])).rows[0]
  const readClaim = async (id: number) =>
    (await admin.query('select status, worker_id, failures, losses from app.job_queue where job_id = $1', [id])).rows[0]
  function beat(workerId: string, fill: (table: ClaimsTable) => void) {
    const table = createClaimsTable(['x'], 4)
    fill(table)
    const options = { onUnwanted: vi.fn<BeatOptions['onUnwanted']>(), onReady: vi.fn<BeatOptions['onReady']>() }
    const db = createDb(pool)
    const beats = createBeats({
      ...{ ...options, db, sweepDb: db, logger, workerId, versions: { x: 1 }, memory: table.memory },
    })
    opened.push(beats)
    beats.start()
    const timer = setInterval(table.tick, 100)
    const stop = () => {
      clearInterval(timer)
      return beats.stop()
    }
    return { ...options, stop }
  }

  test('clients see a claimed step running, with its progress, and the worker is known with its versions', async () => {
    const { run, door, step } = await claimOne()
    const { stop } = beat(door.workerId, (table) => {
      table.add(step)
      table.begin(step.fence)
      table.report(step.fence, 0.5)
    })
    await expect.poll(() => readStep(step.id)).toMatchObject({ status: 'running', progress: 0.5 })
    const { rows } = await admin.query('select versions from app.workers where id = $1', [door.workerId])
    expect(rows).toEqual([{ versions: { x: 1 } }])
    await stop()
    await admin.query('select cancel_job($1)', [run])
  })

  test('requeues the steps of a silent worker: a begun step counts a loss, a waiting step counts nothing', async () => {
    const begun = await claimOne()
    const waiting = await claimOne()
    for (const { door, step } of [begun, waiting]) {
      const { stop } = beat(door.workerId, (table) => {
        table.add(step)
        if (step === begun.step) table.begin(step.fence)
      })
      await stop()
    }
    const sweeper = beat(crypto.randomUUID(), () => {})
    await expect
      .poll(() => readClaim(begun.step.id))
      .toMatchObject({ status: 'queued', worker_id: null, failures: 0, losses: 1 })
    await expect
      .poll(() => readClaim(waiting.step.id))
      .toMatchObject({ status: 'queued', worker_id: null, failures: 0, losses: 0 })
    await expect.poll(() => sweeper.onReady.mock.calls.length).toBeGreaterThan(0)
    expect(sweeper.onUnwanted).not.toHaveBeenCalled()
    await sweeper.stop()
    for (const { run } of [begun, waiting]) await admin.query('select cancel_job($1)', [run])
  })

  test('reports a step of a cancelled run', async () => {
    const { run, door, step } = await claimOne()
    const { onUnwanted, stop } = beat(door.workerId, (table) => {
      table.add(step)
      table.begin(step.fence)
    })
    await expect.poll(() => readStep(step.id)).toMatchObject({ status: 'running' })
    expect(onUnwanted).not.toHaveBeenCalled()
    await admin.query('select cancel_job($1)', [run])
    await expect.poll(() => onUnwanted.mock.calls[0]).toEqual([[step.fence]])
    await stop()
  })
})
