import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { someStep } from '../../scripts/testing/steps.ts'
import { DatabaseAway } from '../shared/connection_gate.ts'
import { createDb, type Db } from '../shared/db.ts'
import type { ClaimedStep } from './claim.ts'
import { createExchange, type Exchange, type Exchanged } from './exchange.ts'

type Sent = { id: number; outcome: string; error?: { slug: string }; is_permanent?: boolean }
type Line = { msg: string; step?: number; reason?: string; retry_in_ms?: number }

let lines: Line[] = []
const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
beforeEach(() => {
  lines = []
})

const completed = (id: number, output: unknown = null, ownerId: string | null = null) => ({
  fence: id,
  text: JSON.stringify({ id, fence: id, outcome: 'completed', output }),
  ownerId,
})
const failing = (code: string) => Object.assign(new Error('worker.exchange_work failed'), { cause: { code } })
const tooMuch = failing('54000')
const timeout = failing('57014')

describe('with a door that answers at once', () => {
  /** An exchange whose door accepts results unless `answer` throws, and gives the steps that `answer` returns. */
  function open(answer: (results: Sent[], want: number) => { refused?: object[]; steps?: object[] } | null) {
    const calls: { results: Sent[]; want: number; args: Record<string, unknown> }[] = []
    const db: Db = {
      call: async (_name, args = {}) => {
        const results = JSON.parse(String(args['results'])) as Sent[]
        const want = Number(args['want'])
        const given = answer(results, want)
        calls.push({ results, want, args })
        return [{ exchange_work: given && { refused: [], steps: [], wake_in_ms: null, ...given } }] as never
      },
    }
    const handedInLate: number[] = []
    const onHandedIn = (fences: number[]) => void handedInLate.push(...fences)
    const exchange = createExchange({ db, logger, workerId: 'w', types: ['x', 'y'], onHandedIn })
    return { exchange, calls, handedInLate, ids: () => calls.map(({ results }) => results.map(({ id }) => id)) }
  }

  test('hands in results and claims steps in one call', async () => {
    const step = someStep(7)
    const { exchange, calls } = open(() => ({ steps: [step] }))
    exchange.add(completed(1))
    exchange.add(completed(2))
    expect(exchange.pending).toBe(2)
    expect(await exchange.run(2)).toEqual({ handedIn: [1, 2], late: [], steps: [step], isShort: true, wakeInMs: null })
    expect(exchange.pending).toBe(0)
    expect(calls.map(({ args }) => args)).toEqual([
      {
        worker_id: 'w',
        want: 2,
        types: ['x', 'y'],
        results: `[${completed(1).text},${completed(2).text}]`,
        wait_ms: 50,
      },
    ])
  })

  test('an exchange that claims nothing is not short', async () => {
    const { exchange } = open(() => ({}))
    exchange.add(completed(1))
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1], isShort: false })
  })

  test('a batch has at most 500 results', async () => {
    const { exchange, calls } = open(() => ({}))
    for (let id = 1; id <= 501; id++) exchange.add(completed(id))
    await exchange.run(0)
    await exchange.run(0)
    expect(calls.map(({ results }) => results.length)).toEqual([500, 1])
  })

  test('a batch has at most 4 MiB, but always one result', async () => {
    const { exchange, ids } = open(() => ({}))
    exchange.add(completed(1, 'x'.repeat(5 * 2 ** 20)))
    exchange.add(completed(2, 'x'.repeat(3 * 2 ** 20)))
    exchange.add(completed(3, 'x'.repeat(2 * 2 ** 20)))
    for (let n = 0; n < 3; n++) await exchange.run(0)
    expect(ids()).toEqual([[1], [2], [3]])
  })

  test('a failed call keeps its results, before newer ones, and the pause until the next call grows', async () => {
    let failures = 3
    const { exchange, ids } = open(() => {
      failures -= 1
      if (failures >= 0) throw new Error('away')
      return {}
    })
    exchange.add(completed(1))
    expect(await exchange.run(0)).toBeUndefined()
    exchange.add(completed(2))
    expect(exchange.pending).toBe(2)
    await exchange.run(0)
    await exchange.run(0)
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1, 2] })
    expect(ids()).toEqual([[1, 2]])
    failures = 1
    await exchange.run(1)
    expect(lines.map(({ msg, retry_in_ms }) => [msg, retry_in_ms])).toEqual(
      [50, 100, 200, 50].map((ms) => ['Results could not be handed in', ms]),
    )
  })

  test('a call without an answer is repeated after 10 s, and gets more time with each attempt, up to 40 s', async () => {
    const limits: unknown[] = []
    let failures = 4
    const call = async (_name: string, _args: unknown, { timeoutMs }: { timeoutMs?: number } = {}) => {
      limits.push(timeoutMs)
      failures -= 1
      if (failures >= 0) throw new Error('worker.exchange_work failed', { cause: new Error('Query read timeout') })
      return [{ exchange_work: { refused: [], steps: [], wake_in_ms: null } }] as never
    }
    const exchange = createExchange({ db: { call }, logger, workerId: 'w', types: ['x'], onHandedIn: () => {} })
    exchange.add(completed(1))
    for (let n = 0; n < 6; n++) await exchange.run(1)
    expect(limits).toEqual([10_000, 20_000, 40_000, 40_000, 40_000, 10_000])
  })

  test('logs no warning for a failed call while the pool knows that the database is away', async () => {
    const cause = new DatabaseAway(new Error('connect ECONNREFUSED'))
    const { exchange } = open(() => {
      throw new Error('worker.exchange_work failed', { cause })
    })
    expect(await exchange.run(1)).toBeUndefined()
    expect(lines).toEqual([])
  })

  test('an answer without content is a failed call', async () => {
    let isBroken = true
    const { exchange } = open(() => (isBroken ? null : {}))
    exchange.add(completed(1))
    expect(await exchange.run(0)).toBeUndefined()
    isBroken = false
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1] })
  })

  test('logs each result that the server refuses', async () => {
    const { exchange } = open(() => ({ refused: [{ index: 0, id: 1, reason: 'step_lost' }] }))
    exchange.add(completed(1))
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1] })
    expect(lines).toMatchObject([{ msg: 'Result was refused', step: 1, reason: 'step_lost' }])
  })

  test('claims fewer steps after an answer that was too large, and more after answers that were not', async () => {
    const wants: number[] = []
    const { exchange } = open((_results, want) => {
      wants.push(want)
      if (want > 4) throw tooMuch
      return {}
    })
    for (let n = 0; n < 4; n++) await exchange.run(20)
    await exchange.run(3)
    await exchange.run(20)
    expect(wants).toEqual([20, 10, 5, 2, 3, 8])
  })

  test('claims and hands in separately when both together are too large', async () => {
    const { exchange, calls } = open((results, want) => {
      if (results.length > 0 && want > 0) throw tooMuch
      return { steps: want > 0 ? [someStep(9)] : [] }
    })
    exchange.add(completed(1))
    expect(await exchange.run(1)).toMatchObject({ handedIn: [1], steps: [{ id: 9 }] })
    expect(calls.map(({ results, want }) => [results.length, want])).toEqual([
      [1, 0],
      [0, 1],
    ])
  })

  test('hands in a failure for a result that Postgres cannot store, and the other results unchanged', async () => {
    const { exchange, calls } = open((results) => {
      if (results.some(({ id, outcome }) => id === 2 && outcome === 'completed')) throw tooMuch
      return {}
    })
    for (const id of [1, 2, 3]) exchange.add(completed(id))
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1, 2, 3] })
    expect(calls.flatMap(({ results }) => results)).toMatchObject([
      { id: 1, outcome: 'completed' },
      { id: 2, outcome: 'failed', error: { slug: 'output_invalid' }, is_permanent: true },
      { id: 3, outcome: 'completed' },
    ])
  })

  test('hands in a loss for a failure that Postgres cannot store, so that the step does not run without end', async () => {
    const { exchange, calls } = open((results) => {
      if (results.some(({ outcome }) => outcome === 'failed')) throw tooMuch
      return {}
    })
    exchange.add({ fence: 2, text: JSON.stringify({ id: 1, fence: 2, outcome: 'failed' }), ownerId: null })
    expect(await exchange.run(0)).toMatchObject({ handedIn: [2] })
    expect(calls.flatMap(({ results }) => results)).toMatchObject([
      { id: 1, fence: 2, outcome: 'lost', error: { slug: 'result_refused' } },
    ])
    expect(lines).toMatchObject([{ msg: 'Result cannot be handed in', step: 1 }])
  })

  test('drops a loss that Postgres cannot store, so that the lease frees the step', async () => {
    const { exchange } = open((results) => {
      if (results.length > 0) throw tooMuch
      return {}
    })
    exchange.add({ fence: 1, text: JSON.stringify({ id: 1, fence: 1, outcome: 'failed' }), ownerId: null })
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1] })
    expect(exchange.pending).toBe(0)
    expect(lines).toMatchObject([{ msg: 'Result cannot be handed in', step: 1 }])
  })

  test('a result that takes too long is kept, and fails after ten attempts', async () => {
    const { exchange, calls } = open((results) => {
      if (results.some(({ outcome }) => outcome === 'completed')) throw timeout
      return {}
    })
    exchange.add(completed(1))
    for (let attempt = 1; attempt <= 9; attempt++) {
      expect([await exchange.run(0), exchange.pending]).toEqual([undefined, 1])
    }
    expect(await exchange.run(0)).toMatchObject({ handedIn: [1] })
    expect(calls.flatMap(({ results }) => results)).toMatchObject([
      { id: 1, outcome: 'failed', error: { slug: 'result_timed_out' }, is_permanent: false },
    ])
  })

  const busy = (ids: number[], results: Sent[]) => ({
    refused: results.flatMap(({ id }, index) => (ids.includes(id) ? [{ index, id, reason: 'run_busy' }] : [])),
  })

  test('late results are handed in again in calls of their own, until the database has them', async () => {
    const locked = new Set([2, 4])
    const { exchange, calls, handedInLate } = open((results) => busy([...locked], results))
    for (const id of [1, 2, 3, 4]) exchange.add(completed(id))
    expect(await exchange.run(1)).toMatchObject({ handedIn: [1, 3], late: [2, 4] })
    expect([exchange.pending, exchange.late, lines]).toEqual([0, 2, []])
    exchange.add(completed(5))
    expect(await exchange.run(1)).toMatchObject({ handedIn: [5], late: [] })
    locked.delete(2)
    await expect.poll(() => handedInLate).toEqual([2])
    locked.delete(4)
    await expect.poll(() => handedInLate).toEqual([2, 4])
    expect(exchange.late).toBe(0)
    expect(calls.filter(({ results }) => results.some(({ id }) => id === 5))).toHaveLength(1)
    expect(calls.at(-1)).toMatchObject({ results: [{ id: 4 }], want: 0 })
  })

  test('a result that stays late waits in a call of its own, and the others are handed in at the same time', async () => {
    const { exchange, calls, handedInLate } = open((results) => busy([1], results))
    exchange.add(completed(1))
    await exchange.run(1)
    const waits = () => calls.filter(({ args }) => Number(args['wait_ms']) > 1000)
    await expect.poll(() => waits().length).toBeGreaterThan(0)
    expect(waits()[0]?.results).toMatchObject([{ id: 1 }])
    expect(handedInLate).toEqual([])
  })

  test('late results of one owner wait together, and alone if their rows are not free together', async () => {
    const { exchange, calls } = open((results) => busy([1, 2, 3], results))
    for (const [id, owner] of [
      [1, 'ana'],
      [2, 'ben'],
      [3, 'ana'],
    ] as const)
      exchange.add(completed(id, null, owner))
    await exchange.run(1)
    const waits = () =>
      calls.filter(({ args }) => Number(args['wait_ms']) > 1000).map(({ results }) => results.map(({ id }) => id))
    await expect.poll(() => waits().length).toBeGreaterThan(2)
    expect(waits().slice(0, 3)).toEqual([[1, 3], [2], [1]])
  })

  test('a batch that fails in parts still names its late results', async () => {
    const { exchange, calls } = open((results, want) => {
      if (results.length > 1 || (want > 0 && results.length > 0)) throw tooMuch
      return busy([2], results)
    })
    for (const id of [1, 2, 3]) exchange.add(completed(id))
    expect(await exchange.run(1)).toMatchObject({ handedIn: [1, 3], late: [2] })
    expect(calls.map(({ results }) => results.map(({ id }) => id))).toEqual([[1], [2], [3], []])
  })
})

describe('with Postgres', () => {
  let database: TestDatabase
  let admin: pg.Client
  let pool: pg.Pool
  let exchange: Exchange
  const handedInLate: number[] = []

  beforeAll(async () => {
    database = await createDatabase()
    admin = await database.connect()
    await admin.query("insert into job_types (name) values ('x')")
    pool = database.openPool({ statement_timeout: 300 })
    const door = { db: createDb(pool), logger, workerId: crypto.randomUUID(), types: ['x'] }
    exchange = createExchange({ ...door, onHandedIn: (fences) => void handedInLate.push(...fences) })
  })
  afterAll(async () => {
    await database.drop()
  })

  async function submit(...steps: { key: string; depends_on?: string[] }[]): Promise<number> {
    const spec = {
      key: 'root',
      type: 'group',
      steps: steps.map((step) => ({ type: 'x', on_failure: 'continue', ...step })),
    }
    return Number((await admin.query('select app.submit_run($1, null, null) as id', [JSON.stringify(spec)])).rows[0].id)
  }
  const endings = async (run: number) =>
    (
      await admin.query(
        'select key, status, error_slug from jobs where root_id = $1 and parent_id is not null order by key',
        [run],
      )
    ).rows.map(({ key, status, error_slug }) => [key, status, error_slug])
  const claim = async (want: number): Promise<ClaimedStep[]> => ((await exchange.run(want)) as Exchanged).steps
  const complete = ({ id, fence }: ClaimedStep, output: string) =>
    exchange.add({
      fence,
      text: `{"id":${id},"fence":${fence},"outcome":"completed","output":${output}}`,
      ownerId: null,
    })

  test('returns steps with the outputs that they depend on, and when the next step is due', async () => {
    const run = await submit({ key: 'a' }, { key: 'b', depends_on: ['a'] })
    const [a] = await claim(1)
    expect(a).toMatchObject({ key: 'a', type: 'x', run_id: run, failures: 0, outputs: [] })
    complete(a as ClaimedStep, '{"n":1}')
    const [b] = await claim(1)
    expect(b).toMatchObject({ key: 'b', outputs: [[['a'], { n: 1 }]] })
    exchange.add({
      fence: (b as ClaimedStep).fence,
      text: JSON.stringify({ id: b?.id, fence: b?.fence, outcome: 'rescheduled', state: null, retry_in_ms: 60_000 }),
      ownerId: null,
    })
    const nothing = (await exchange.run(1)) as Exchanged
    expect(nothing).toMatchObject({ handedIn: [b?.fence], steps: [], isShort: true })
    expect(nothing.wakeInMs).toBeGreaterThan(50_000)
  })

  test('a result with a character that jsonb cannot hold fails alone', async () => {
    const run = await submit({ key: 'a' }, { key: 'b' }, { key: 'c' })
    for (const step of await claim(3)) complete(step, step.key === 'b' ? '"\\u0000"' : '"fine"')
    expect((await exchange.run(0))?.handedIn).toHaveLength(3)
    expect(await endings(run)).toEqual([
      ['a', 'completed', null],
      ['b', 'failed', 'output_invalid'],
      ['c', 'completed', null],
    ])
  })

  test('a result of a locked run is late: other results are stored at once, and the result when its run is free', async () => {
    const locked = await submit({ key: 'a' })
    const free = await submit({ key: 'b' })
    const [a, b] = (await claim(2)).toSorted((one, other) => one.id - other.id) as [ClaimedStep, ClaimedStep]
    complete(a, '1')
    complete(b, '1')
    await admin.query('begin')
    await admin.query('select from app.runs where id = $1 for update', [locked])
    expect(await exchange.run(0)).toMatchObject({ handedIn: [b.fence], late: [a.fence] })
    expect([exchange.pending, exchange.late, handedInLate]).toEqual([0, 1, []])
    expect(await endings(free)).toEqual([['b', 'completed', null]])
    await admin.query('commit')
    await expect.poll(() => handedInLate).toEqual([a.fence])
    expect(exchange.late).toBe(0)
    expect(await endings(locked)).toEqual([['a', 'completed', null]])
  })

  test('a result with a stale fence is refused, and counts as handed in', async () => {
    await submit({ key: 'a' })
    const [step] = await claim(1)
    complete({ ...(step as ClaimedStep), fence: 999_999 }, '1')
    expect((await exchange.run(0))?.handedIn).toEqual([999_999])
    expect(lines).toMatchObject([{ msg: 'Result was refused', step: step?.id, reason: 'step_lost' }])
  })
})
