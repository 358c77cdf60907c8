import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { createDatabase } from '../../scripts/testing/database.ts'
import { someStep, unwatched } from '../../scripts/testing/steps.ts'
import { Reschedule, StepError, WithChildren } from '../outcomes/outcome.ts'
import { createDb, type Db } from '../shared/db.ts'
import { serializeError } from '../shared/serialize_error.ts'
import { type ClaimedStep, createClaim } from './claim.ts'
import type { Handler } from './define_handler.ts'
import { createExchange } from './exchange.ts'
import { createRunStep } from './run_step.ts'

const logger = pino({ level: 'silent' })
const noPages: Db = { call: () => expect.unreachable('the database was called') }

/** Runs one step with this handler; `stop` aborts it as the pump does. */
function run(handler: Handler, options: { step?: Partial<ClaimedStep>; db?: Db } = {}) {
  const claim = createClaim(someStep(1, options.step))
  const runStep = createRunStep({ db: options.db ?? noPages, logger, handlers: { x: handler }, accidents: unwatched })
  const result = runStep(claim).then((text) => JSON.parse(text))
  return { claim, result, stop: () => claim.abort.abort(new Error('The worker is stopping.')) }
}
/** Ignores its signal. */
const endless: Handler = () => new Promise(() => {})

test('a handler gets the input, the outputs and the facts about the step', async () => {
  const step: Partial<ClaimedStep> = {
    input: { n: 1 },
    state: { turn: 2 },
    failures: 3,
    owner_id: 'ana',
    outputs: [
      [['a'], 'A'],
      [['tree', 'leaf'], 'L'],
    ],
  }
  const { result } = run(
    async (input, { id, fence, runId, ownerId, key, outputs, state, failures, signal }) => ({
      ...{ input, id, fence, runId, ownerId, key, outputs, state, failures },
      isAborted: signal.aborted,
    }),
    { step },
  )
  expect(await result).toEqual({
    id: 1,
    fence: 1,
    outcome: 'completed',
    output: {
      ...{ input: { n: 1 }, id: 1, fence: 1, runId: 1, ownerId: 'ana', key: 'step-1', state: { turn: 2 }, failures: 3 },
      outputs: { a: 'A', tree: { leaf: 'L' } },
      isAborted: false,
    },
  })
})

test('now is the time of the database, also if the clock of this process is two hours apart or jumps', async () => {
  const claimed_ms = Date.UTC(2026, 10, 20)
  vi.useFakeTimers({ toFake: ['Date'], now: claimed_ms - 7_200_000 })
  try {
    const { result } = run(
      async (_input, { now }) => {
        const first = now()
        vi.setSystemTime(claimed_ms + 7_200_000)
        await sleep(20)
        return [first - claimed_ms, now() - first]
      },
      { step: { now_ms: claimed_ms } },
    )
    const [sinceClaim, slept] = (await result).output
    expect(sinceClaim).toBeGreaterThanOrEqual(0)
    expect(sinceClaim).toBeLessThan(60_000)
    expect(slept).toBeGreaterThanOrEqual(19)
    expect(slept).toBeLessThan(60_000)
  } finally {
    vi.useRealTimers()
  }
})

test('children and a new state are handed in as results; a rescheduled step keeps its progress', async () => {
  const children = [{ key: 'a', type: 'noop' }]
  expect(await run(async () => new WithChildren(1, children)).result).toMatchObject({ outcome: 'completed', children })
  const { result } = run(async (_input, { progress }) => {
    progress(0.25)
    return new Reschedule({ turn: 1 }, 20)
  })
  expect(await result).toMatchObject({ outcome: 'rescheduled', state: { turn: 1 }, retry_in_ms: 20, progress: 0.25 })
})

test.each([
  [0.123456, 0.1235],
  [2, 1],
  [-1, 0],
  [Number.NaN, 0],
])('progress %d is told as %d', async (given, told) => {
  const { claim, result } = run(async (_input, { progress }) => progress(given))
  await result
  expect(claim.progress).toBe(told)
})

test('an error that a handler throws fails the step with its slug', async () => {
  const { result } = run(() => Promise.reject(new StepError('flaked', 'Not this time.', { retryInMs: 10 })))
  expect(await result).toMatchObject({ outcome: 'failed', error: { slug: 'flaked' }, retry_in_ms: 10 })
})

test('an error without a slug fails the step as handler_failed', async () => {
  const handlers: Handler[] = [
    () => Promise.reject(new Error('Bug.')),
    () => {
      throw new Error('Bug.')
    },
  ]
  for (const handler of handlers) {
    expect(await run(handler).result).toMatchObject({
      outcome: 'failed',
      error: { slug: 'handler_failed', message: expect.not.stringContaining('Bug') },
    })
  }
})

test('a step that is stopped is returned without counting a failure, even if its handler throws', async () => {
  const { result, stop } = run(async (_input, { signal }) => {
    await sleep(10_000, undefined, { signal }).catch(() => {})
    throw new StepError('flaked', 'Not this time.', { isPermanent: true })
  })
  stop()
  expect(await result).toEqual({ id: 1, fence: 1, outcome: 'returned', begun: true })
})

test('a step whose timeout is over fails, even if its handler throws another error', async () => {
  const { result } = run((_input, { signal }) => sleep(10_000, undefined, { signal }), { step: { timeout_ms: 20 } })
  const message = expect.stringMatching(/longer than 0\.02 seconds.*Retry the run/)
  expect(await result).toMatchObject({ outcome: 'failed', error: { slug: 'timed_out', message }, is_permanent: false })
})

test('a result that cannot be stored fails the step permanently, and is logged', async () => {
  const lines: string[] = []
  const loud = pino({ serializers: { err: serializeError } }, { write: (line: string) => void lines.push(line) })
  const handlers = { x: async () => ({ seen: new Map() }) }
  const runStep = createRunStep({ db: noPages, logger: loud, handlers, accidents: unwatched })
  expect(JSON.parse(await runStep(createClaim(someStep(7))))).toMatchObject({
    ...{ id: 7, outcome: 'failed', is_permanent: true },
    error: { slug: 'output_invalid', message: expect.stringContaining('output.seen is a Map') },
  })
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ step: 7, err: { slug: 'output_invalid' } }])
})

test('a handler that ignores its timeout has no result before it ends, and fails then', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  let isOver = false
  const { result } = run(() => promise, { step: { timeout_ms: 20 } })
  void result.then(() => {
    isOver = true
  })
  await sleep(2100)
  expect(isOver).toBe(false)
  resolve('late')
  expect(await result).toMatchObject({ outcome: 'failed', error: { slug: 'timed_out' } })
})

test('a result that comes a moment after the timeout is handed in', async () => {
  const { result } = run(() => sleep(100, 'paid'), { step: { timeout_ms: 20 } })
  expect(await result).toMatchObject({ outcome: 'completed', output: 'paid' })
})

test('a step with a fault fails permanently, and its handler is not called', async () => {
  const { result } = run(() => expect.unreachable('the handler was called'), {
    step: { fault: { slug: 'input_too_large', message: 'Its dependencies return 80 MiB.' } },
  })
  expect(await result).toMatchObject({
    outcome: 'failed',
    error: { slug: 'input_too_large', message: 'Its dependencies return 80 MiB.' },
    is_permanent: true,
  })
})

test('a step of a type without a handler is returned for five seconds', async () => {
  const { result } = run(endless, { step: { type: 'unknown' } })
  expect(await result).toEqual({ id: 1, fence: 1, outcome: 'returned', retry_in_ms: 5000 })
})

test('a failure that cannot be logged is still handed in as it is', async () => {
  const broken = pino({ level: 'silent' })
  broken.warn = () => {
    throw new Error('The disk is full.')
  }
  const runStep = createRunStep({
    db: noPages,
    logger: broken,
    handlers: { x: () => Promise.reject(new StepError('flaked', 'Not this time.')) },
    accidents: unwatched,
  })
  expect(JSON.parse(await runStep(createClaim(someStep(1))))).toMatchObject({
    outcome: 'failed',
    error: { slug: 'flaked', message: 'Not this time.' },
  })
})

/** A door that gives one empty page of outputs after so long. */
const slowPages = (ms: number): Db => ({
  call: async () => {
    await sleep(ms)
    return [{ read_outputs: { outputs: [], after_id: null } }] as never
  },
})

test('a step whose timeout is over while its outputs are read does not begin, and fails', async () => {
  const { result } = run(() => expect.unreachable('the handler was called'), {
    step: { timeout_ms: 50, outputs: null },
    db: slowPages(200),
  })
  expect(await result).toMatchObject({ id: 1, outcome: 'failed', error: { slug: 'timed_out' } })
})

test('a step that is stopped while its outputs are read does not begin', async () => {
  const { result, stop } = run(() => expect.unreachable('the handler was called'), {
    step: { outputs: null },
    db: slowPages(200),
  })
  setTimeout(stop, 50)
  expect(await result).toMatchObject({ outcome: 'returned' })
})

test('outputs that cannot be read fail the step', async () => {
  const cause = Object.assign(new pg.DatabaseError('permission denied', 1, 'error'), { code: '42501' })
  const db: Db = { call: () => Promise.reject(new Error('worker.read_outputs failed', { cause })) }
  const { result } = run(endless, { step: { outputs: null }, db })
  expect(await result).toMatchObject({ outcome: 'failed', error: { slug: 'handler_failed' } })
})

test('reads outputs again after an outage', async () => {
  let outages = 3
  const call = async () => {
    outages -= 1
    const cause = new Error('Connection terminated unexpectedly')
    if (outages >= 0) throw new Error('worker.read_outputs failed', { cause })
    return [{ read_outputs: { outputs: [[['a'], 7]], after_id: null } }] as never
  }
  const handler: Handler = async (_input, { outputs }) => outputs
  const { result } = run(handler, { step: { outputs: null }, db: { call } })
  expect(await result).toMatchObject({ outcome: 'completed', output: { a: 7 } })
})

test('large outputs are read from Postgres page by page', async () => {
  const database = await createDatabase()
  const admin = await database.connect()
  const pool = database.openPool()
  try {
    await admin.query("insert into job_types (name) values ('x')")
    const keys = ['a', 'b', 'c']
    const steps = [...keys.map((key) => ({ key, type: 'x' })), { key: 'last', type: 'x', depends_on: keys }]
    await admin.query('select app.submit_run($1, null, null)', [JSON.stringify({ key: 'root', type: 'group', steps })])

    const db = createDb(pool)
    const door = { db, logger, workerId: crypto.randomUUID(), types: ['x'] }
    const exchange = createExchange({ ...door, onHandedIn: () => {} })
    const large = 'x'.repeat(700_000)
    const runStep = createRunStep({
      db,
      logger,
      handlers: {
        x: async (_input, { key, outputs }) =>
          key === 'last' ? Object.values(outputs).map((text) => (text as string).length) : large,
      },
      accidents: unwatched,
    })
    for (const step of (await exchange.run(3))?.steps ?? []) {
      exchange.add({ fence: step.fence, text: await runStep(createClaim(step)), ownerId: null })
    }
    const last = (await exchange.run(1))?.steps[0] as ClaimedStep
    expect(last).toMatchObject({ key: 'last', outputs: null })
    expect(JSON.parse(await runStep(createClaim(last)))).toMatchObject({ output: keys.map(() => large.length) })
  } finally {
    await database.drop()
  }
})
