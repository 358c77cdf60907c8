import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { Db } from '../shared/db.ts'
import type { Step } from './define_handler.ts'
import { StepError } from './outcome.ts'
import { createSteps } from './pump.ts'

// The pump alone, behind a door that does what the real one does seldom.
const step = (id: number, more: object = {}) => ({
  id,
  fence: id,
  run_id: 1,
  owner_id: null,
  key: `step-${id}`,
  type: 'x',
  input: null,
  state: null,
  failures: 0,
  timeout_ms: 60_000,
  max_output_bytes: 1_000_000,
  outputs: [],
  ...more,
})
type Given = ReturnType<typeof step>
type Result = { id: number; outcome: string; error?: { slug: string } }

/** Gives these steps at the first call, and keeps what comes back. */
function open(options: {
  steps: Given[]
  handler: (input: unknown, context: Step) => Promise<unknown>
  stop?: (beat: number) => number[]
  readMs?: number
  exchange?: (results: Result[], want: number) => void
  /** Gives all at once, as to a pump whose steps were short before. */
  givesAll?: boolean
}) {
  const results: Result[] = []
  const wants: number[] = []
  const beats: number[][] = []
  const started: { id: number; isAborted: boolean }[] = []
  let left = options.steps
  const answers: Record<string, (args: Record<string, unknown>) => Promise<object>> = {
    'worker.exchange_steps': async (args) => {
      const handedIn = JSON.parse(String(args['results'])) as Result[]
      const want = Number(args['want'])
      await sleep(2)
      options.exchange?.(handedIn, want)
      results.push(...handedIn)
      wants.push(want)
      const steps = options.givesAll && want > 0 ? left : left.slice(0, want)
      left = left.slice(steps.length)
      return { exchange_steps: { refused: [], steps, wake_in_ms: null } }
    },
    'worker.read_outputs': async () => {
      await sleep(options.readMs ?? 0)
      return { read_outputs: { outputs: [], after_id: null } }
    },
    'worker.heartbeat': async (args) => {
      beats.push((JSON.parse(String(args['running'])) as Result[]).map(({ id }) => id))
      const stop = (options.stop?.(beats.length) ?? []).map((id) => ({ id, fence: id }))
      return { heartbeat: { stop, wake_in_ms: null } }
    },
  }
  const db: Db = { call: async (name, args) => [(await answers[name]?.(args ?? {})) ?? {}] as never }
  const steps = createSteps({
    db,
    logger: pino({ level: 'silent' }),
    handlers: {
      x: (input, context) => {
        started.push({ id: context.id, isAborted: context.signal.aborted })
        return options.handler(input, context)
      },
    },
    concurrency: 1,
  })
  steps.start()
  void steps.pump(new AbortController().signal)
  return { results, wants, beats, started, steps }
}
const tooMuch = Object.assign(new Error('failed'), { cause: { code: '54000' } })
const deaf = () => new Promise(() => {})

test('a step whose time is over while its outputs are read does not begin, and fails', async () => {
  const { results, started } = open({
    steps: [step(1, { timeout_ms: 50, outputs: null })],
    handler: deaf,
    readMs: 200,
  })
  await expect.poll(() => results).toMatchObject([{ id: 1, outcome: 'failed', error: { slug: 'timed_out' } }])
  expect(started).toEqual([])
})

test('a step that is not wanted any more while its outputs are read does not begin', async () => {
  const { results, started } = open({
    steps: [step(1, { outputs: null })],
    handler: deaf,
    readMs: 1500,
    stop: (beat) => (beat === 2 ? [1] : []),
  })
  await expect.poll(() => results, { timeout: 5000 }).toMatchObject([{ id: 1, outcome: 'returned' }])
  expect(started).toEqual([])
})

test('a step that was fetched ahead and is not wanted any more does not begin', async () => {
  const { results, started } = open({
    steps: [step(1), step(2)],
    handler: (_input, { id }) => sleep(id === 1 ? 1300 : 10),
    stop: (beat) => (beat === 2 ? [2] : []),
    givesAll: true,
  })
  await expect.poll(() => results.length, { timeout: 5000 }).toBe(2)
  expect(started).toEqual([{ id: 1, isAborted: false }])
  expect(results).toContainEqual(expect.objectContaining({ id: 2, outcome: 'returned' }))
})

test('what is done and not handed in yet is named to the database', async () => {
  let isDown = true
  const { beats, results } = open({
    steps: [step(1)],
    handler: async () => null,
    exchange: (handedIn) => {
      if (handedIn.length > 0 && isDown) throw new Error('away')
    },
  })
  await expect.poll(() => beats.length, { timeout: 5000 }).toBeGreaterThan(2)
  expect(beats.slice(1)).toEqual(beats.slice(1).map(() => [1]))
  isDown = false
  await expect.poll(() => results.length, { timeout: 5000 }).toBe(1)
  const before = beats.length
  await expect.poll(() => beats.length, { timeout: 5000 }).toBeGreaterThan(before + 1)
  expect(beats.at(-1)).toEqual([])
})

test('where so many steps are too much for an answer, fewer are asked for', async () => {
  const asked: number[] = []
  const { results } = open({
    steps: Array.from({ length: 30 }, (_, n) => step(n + 1)),
    handler: async () => null,
    exchange: (_results, want) => {
      asked.push(want)
      if (want > 4) throw tooMuch
    },
  })
  await expect.poll(() => results.length, { timeout: 10_000 }).toBe(30)
  expect(asked.some((want) => want > 4)).toBe(true)
})

test('a result that Postgres cannot take fails alone, whatever a handler has put into it', async () => {
  const { results } = open({
    steps: [step(1), step(2), step(3)],
    handler: async (_input, { id }) => {
      if (id === 1) throw new StepError('no\u0000slug', 'x', { isPermanent: '\ud800' as never })
      return id
    },
    exchange: (handedIn) => {
      if (handedIn.some(({ id, outcome }) => id === 2 && outcome === 'completed')) throw tooMuch
    },
  })
  await expect.poll(() => results.length, { timeout: 5000 }).toBe(3)
  expect(results.sort((a, b) => a.id - b.id)).toMatchObject([
    { id: 1, outcome: 'failed', error: { slug: 'handler_failed' }, is_permanent: false },
    { id: 2, outcome: 'failed', error: { slug: 'output_invalid' }, is_permanent: true },
    { id: 3, outcome: 'completed' },
  ])
})

test('a result that takes too long to hand in is kept, and handed in later', async () => {
  let slow = 3
  const { results, beats } = open({
    steps: [step(1)],
    handler: async () => ({ paid: 'result' }),
    exchange: (handedIn) => {
      if (handedIn.length === 0 || slow === 0) return
      slow -= 1
      throw Object.assign(new Error('failed'), { cause: { code: '57014' } })
    },
  })
  await expect.poll(() => results, { timeout: 5000 }).toMatchObject([{ id: 1, outcome: 'completed' }])
  expect(beats.every((ids) => ids.length <= 1)).toBe(true)
})
