import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { someStep, unwatched } from '../../scripts/testing/steps.ts'
import { createBeats } from '../heartbeat/beats.ts'
import { StepError } from '../outcomes/outcome.ts'
import type { Db } from '../shared/db.ts'
import type { ClaimedStep } from './claim.ts'
import type { Handler } from './define_handler.ts'
import { createPump, type Pump } from './pump.ts'

// A whole pump, on a fake door that also does what the real one does rarely.
type Result = { id: number; outcome: string; error?: { slug: string } }

const pumps: Pump[] = []
afterEach(() => Promise.all(pumps.splice(0).map((pump) => pump.stop(0, new AbortController().signal))))

/** A pump whose door gives these steps at the first call, and keeps the results. */
function open(options: {
  steps: ClaimedStep[]
  handler: Handler
  concurrency?: number
  /** The fences that the answer of each beat names. */
  stop?: (beat: number) => number[]
  readMs?: number
  exchange?: (results: Result[], want: number) => void
  /** Whether another transaction holds the run of a step. */
  isBusy?: (id: number) => boolean
  /** Gives all steps at once, whatever the pump asks for. */
  givesAll?: boolean
}) {
  const results: Result[] = []
  const wants: number[] = []
  const beats: number[][] = []
  const calls: string[] = []
  const ignoring: number[] = []
  const started: { id: number; isAborted: boolean }[] = []
  let left = options.steps
  const answers: Record<string, (args: Record<string, unknown>) => Promise<object>> = {
    'worker.exchange_work': async (args) => {
      const handedIn = JSON.parse(String(args['results'])) as Result[]
      const want = Number(args['want'])
      await sleep(2)
      options.exchange?.(handedIn, want)
      const isBusy = ({ id }: Result) => options.isBusy?.(id) ?? false
      const refused = handedIn.flatMap((result, index) =>
        isBusy(result) ? [{ index, id: result.id, reason: 'run_busy' }] : [],
      )
      results.push(...handedIn.filter((result) => !isBusy(result)))
      wants.push(want)
      const steps = options.givesAll && want > 0 ? left : left.slice(0, want)
      left = left.slice(steps.length)
      return { exchange_work: { refused, steps, wake_in_ms: null } }
    },
    'worker.read_outputs': async () => {
      await sleep(options.readMs ?? 0)
      return { read_outputs: { outputs: [], after_id: null } }
    },
    'worker.send_heartbeat': async (args) => {
      beats.push((JSON.parse(String(args['running'])) as Result[]).map(({ id }) => id))
      const stop = (options.stop?.(beats.length) ?? []).map((id) => ({ id, fence: id }))
      return { send_heartbeat: { stop, wake_in_ms: null, lease_ms: 30_000 } }
    },
  }
  const db: Db = {
    call: async (name, args) => {
      calls.push(name)
      return [(await answers[name]?.(args ?? {})) ?? {}] as never
    },
  }
  const logger = pino({ level: 'silent' })
  const pump = createPump({
    db,
    logger,
    openHeartbeat: (options) => createBeats({ ...options, db, sweepDb: db, logger }),
    handlers: {
      x: (input, step) => {
        started.push({ id: step.id, isAborted: step.signal.aborted })
        return options.handler(input, step)
      },
    },
    concurrency: options.concurrency ?? 1,
    accidents: unwatched,
    onIgnoredSignal: () => void ignoring.push(performance.now()),
    ignoredMaxMs: 100,
  })
  pumps.push(pump)
  pump.start()
  const done = pump.run(new AbortController().signal)
  const stop = (drainMs: number) => pump.stop(drainMs, new AbortController().signal)
  return { results, wants, beats, calls, ignoring, started, pump, done, stop }
}
const tooMuch = Object.assign(new Error('failed'), { cause: { code: '54000' } })
const untilAborted: Handler = (_input, { signal }) => sleep(60_000, undefined, { signal })

test('a step that the heartbeat stops while its outputs are read does not begin', async () => {
  const { results, started } = open({
    steps: [someStep(1, { outputs: null })],
    handler: untilAborted,
    readMs: 1500,
    stop: (beat) => (beat === 2 ? [1] : []),
  })
  await expect.poll(() => results).toMatchObject([{ id: 1, outcome: 'returned' }])
  expect(started).toEqual([])
})

test('a step that was claimed ahead and that the heartbeat stops does not begin', async () => {
  const { results, started } = open({
    steps: [someStep(1), someStep(2)],
    handler: (_input, { id, signal }) => sleep(id === 1 ? 1300 : 10, undefined, { signal }),
    stop: (beat) => (beat === 2 ? [2] : []),
    givesAll: true,
  })
  await expect.poll(() => results.length).toBe(2)
  expect(started).toEqual([{ id: 1, isAborted: false }])
  expect(results).toContainEqual(expect.objectContaining({ id: 2, outcome: 'returned' }))
})

test('a beat names steps whose result is not handed in yet', async () => {
  let isDown = true
  const { beats, results } = open({
    steps: [someStep(1)],
    handler: async () => null,
    exchange: (handedIn) => {
      if (handedIn.length > 0 && isDown) throw new Error('away')
    },
  })
  await expect.poll(() => beats.length).toBeGreaterThan(2)
  expect(beats.slice(1)).toEqual(beats.slice(1).map(() => [1]))
  isDown = false
  await expect.poll(() => results.length).toBe(1)
  const before = beats.length
  await expect.poll(() => beats.length).toBeGreaterThan(before + 1)
  expect(beats.at(-1)).toEqual([])
})

test('claims fewer steps when an answer with many steps is too large', async () => {
  const asked: number[] = []
  const { results } = open({
    steps: Array.from({ length: 30 }, (_, n) => someStep(n + 1)),
    // With one slot, a busy machine would never ask for many steps.
    concurrency: 8,
    handler: async () => null,
    exchange: (_results, want) => {
      asked.push(want)
      if (want > 4) throw tooMuch
    },
  })
  // Results that were handed in with a claim that failed are handed in again.
  await expect.poll(() => new Set(results.map(({ id }) => id)).size).toBe(30)
  expect(asked.some((want) => want > 4)).toBe(true)
})

test('a result that Postgres cannot store fails alone, even if its error is malformed', async () => {
  const { results } = open({
    steps: [someStep(1), someStep(2), someStep(3)],
    handler: async (_input, { id }) => {
      if (id === 1) throw new StepError('no\u0000slug', 'x', { isPermanent: '\ud800' as never })
      return id
    },
    exchange: (handedIn) => {
      if (handedIn.some(({ id, outcome }) => id === 2 && outcome === 'completed')) throw tooMuch
    },
  })
  await expect.poll(() => results.length).toBe(3)
  expect(results.sort((a, b) => a.id - b.id)).toMatchObject([
    { id: 1, outcome: 'failed', error: { slug: 'handler_failed' }, is_permanent: false },
    { id: 2, outcome: 'failed', error: { slug: 'output_invalid' }, is_permanent: true },
    { id: 3, outcome: 'completed' },
  ])
})

test('a result that takes too long to hand in is kept, and handed in later', async () => {
  let slow = 3
  const { results, beats } = open({
    steps: [someStep(1)],
    handler: async () => ({ paid: 'result' }),
    exchange: (handedIn) => {
      if (handedIn.length === 0 || slow === 0) return
      slow -= 1
      throw Object.assign(new Error('failed'), { cause: { code: '57014' } })
    },
  })
  await expect.poll(() => results).toMatchObject([{ id: 1, outcome: 'completed' }])
  expect(beats.every((ids) => ids.length <= 1)).toBe(true)
})

test('run starts as many steps at the same time as concurrency allows, and ends when all steps have ended', async () => {
  let now = 0
  let most = 0
  const { results, done } = open({
    steps: Array.from({ length: 20 }, (_, n) => someStep(n + 1)),
    concurrency: 3,
    handler: async () => {
      now += 1
      most = Math.max(most, now)
      await sleep(5)
      now -= 1
    },
  })
  await done
  expect([results.length, most]).toEqual([20, 3])
})

test('all calls of run share one loop; one whose signal aborts ends at once', async () => {
  let finish = () => {}
  const { pump, done, results, started } = open({
    steps: [someStep(1)],
    handler: () => new Promise((resolve) => (finish = () => resolve(null))),
  })
  await expect.poll(() => started.length).toBe(1)
  const leaving = new AbortController()
  const left = pump.run(leaving.signal)
  const stayed = pump.run(new AbortController().signal)
  leaving.abort()
  await left
  expect(results).toEqual([])
  finish()
  await Promise.all([done, stayed])
  expect(results).toMatchObject([{ id: 1, outcome: 'completed' }])
})

test('a run that begins with an aborted signal asks for nothing', async () => {
  const { pump, done, wants } = open({ steps: [], handler: untilAborted })
  await done
  const before = wants.length
  await pump.run(AbortSignal.abort())
  await sleep(20)
  expect(wants.length).toBe(before)
})

test('steps that were claimed ahead and get no slot within a beat are returned', async () => {
  const { results } = open({
    steps: [someStep(1), someStep(2), someStep(3)],
    handler: untilAborted,
    givesAll: true,
  })
  await expect
    .poll(() => results.map(({ id, outcome }) => [id, outcome]))
    .toEqual([
      [2, 'returned'],
      [3, 'returned'],
    ])
})

test('a stop returns running and waiting steps without counting failures, and removes the worker', async () => {
  const { pump, stop, results, started, calls, done } = open({
    steps: [someStep(1), someStep(2)],
    handler: untilAborted,
    givesAll: true,
  })
  await expect.poll(() => started.length).toBe(1)
  await stop(0)
  await done
  expect(results.sort((a, b) => a.id - b.id)).toMatchObject([
    { id: 1, outcome: 'returned' },
    { id: 2, outcome: 'returned' },
  ])
  expect(calls.at(-1)).toBe('worker.leave')
  const before = calls.length
  await pump.run(new AbortController().signal)
  expect(calls.length).toBe(before)
})

test('a stop returns the step of a handler that ignores its signal after a second', async () => {
  const { stop, results, started } = open({ steps: [someStep(1)], handler: () => new Promise(() => {}) })
  await expect.poll(() => started.length).toBe(1)
  const startedAt = performance.now()
  await stop(0)
  expect(performance.now() - startedAt).toBeGreaterThan(900)
  expect(results).toMatchObject([{ id: 1, outcome: 'returned' }])
})

test('a stop lets running steps end while the heartbeat names them, and returns waiting steps at once', async () => {
  const { pump, results, started, beats, stop } = open({
    steps: [someStep(1), someStep(2)],
    handler: () => sleep(1500, 'done'),
    givesAll: true,
  })
  await expect.poll(() => started.length).toBe(1)
  const stopped = stop(10_000)
  await expect.poll(() => results).toMatchObject([{ id: 2, outcome: 'returned' }])
  const before = beats.length
  await expect.poll(() => beats.length).toBeGreaterThan(before)
  expect(beats.at(-1)).toEqual([1])
  await stopped
  expect(results).toMatchObject([{ id: 2 }, { id: 1, outcome: 'completed', output: 'done' }])
  expect(started).toHaveLength(1)
  await pump.run(new AbortController().signal)
})

test('a late result delays no other step: beats name it, and a stop waits until it is handed in', async () => {
  let isBusy = true
  const { results, beats, calls, done, stop } = open({
    steps: [someStep(1), someStep(2), someStep(3)],
    handler: async () => null,
    isBusy: (id) => isBusy && id === 1,
  })
  const ids = () => results.map(({ id }) => id)
  await expect.poll(ids).toEqual([2, 3])
  await expect.poll(() => beats.at(-1)).toEqual([1])
  // A call of run that waited for the late result would occupy a job of graphile-worker.
  await done
  const stopped = stop(60_000)
  await expect.poll(() => beats.length).toBeGreaterThan(beats.length)
  expect([ids(), calls.includes('worker.leave')]).toEqual([[2, 3], false])
  isBusy = false
  await stopped
  expect([ids(), calls.at(-1)]).toEqual([[2, 3, 1], 'worker.leave'])
})

test('a stop throws when a result is late for too long', async () => {
  let isBusy = true
  const handler = async () => null
  const { results, started, stop } = open({ steps: [someStep(1)], handler, isBusy: () => isBusy })
  await expect.poll(() => started.length).toBe(1)
  await expect(stop(0)).rejects.toThrow('Some results could not be handed in')
  expect(results).toEqual([])
  isBusy = false
})

test('a stop that is hurried aborts the handlers at once', async () => {
  const { pump, results, started } = open({ steps: [someStep(1)], handler: untilAborted })
  await expect.poll(() => started.length).toBe(1)
  const hurry = new AbortController()
  const stopped = pump.stop(60_000, hurry.signal)
  await sleep(50)
  expect(results).toEqual([])
  hurry.abort()
  await stopped
  expect(results).toMatchObject([{ id: 1, outcome: 'returned' }])
})

test('a stop while the database is away and nothing runs ends at once', async () => {
  const { stop } = open({
    steps: [],
    handler: untilAborted,
    exchange: () => {
      throw new Error('away')
    },
  })
  await sleep(20)
  const startedAt = performance.now()
  await stop(110_000)
  expect(performance.now() - startedAt).toBeLessThan(60_000)
})

test('a stop throws when results cannot be handed in', async () => {
  let isDown = true
  const { stop, started } = open({
    steps: [someStep(1)],
    handler: async () => 'paid',
    exchange: (handedIn) => {
      if (handedIn.length > 0 && isDown) throw new Error('away')
    },
  })
  await expect.poll(() => started.length).toBe(1)
  await expect(stop(0)).rejects.toThrow('Some results could not be handed in')
  isDown = false
})

test('a handler that ignores its timeout keeps its slot, and is reported', async () => {
  const { results, started, ignoring, beats, stop } = open({
    steps: [someStep(1, { timeout_ms: 20 }), someStep(2)],
    handler: (_input, { id }) => (id === 1 ? new Promise(() => {}) : sleep(0, 'ran')),
  })
  await expect.poll(() => ignoring.length).toBe(1)
  await expect.poll(() => beats.length).toBeGreaterThan(1)
  expect(beats.at(-1)).toEqual([1])
  expect([started.map(({ id }) => id), results]).toEqual([[1], []])
  // The drain does not wait for this handler.
  await stop(60_000)
  expect(results).toMatchObject([{ id: 1, outcome: 'failed', error: { slug: 'timed_out' } }])
})

test('claims nothing while a step that runs alone waits or runs, and claims again afterwards', async () => {
  let finish = () => {}
  const { results, started, wants } = open({
    steps: [someStep(1, { runs_alone: true }), someStep(2), someStep(3), someStep(4)],
    concurrency: 2,
    handler: (_input, { id }) => (id === 1 ? new Promise((resolve) => (finish = () => resolve(null))) : sleep(50)),
  })
  await expect.poll(() => started.map(({ id }) => id)).toEqual([1])
  const before = wants.filter((want) => want > 0).length
  // A beat returns the claims that waited behind it.
  await expect.poll(() => results).toMatchObject([{ id: 2, outcome: 'returned' }])
  expect([wants.filter((want) => want > 0).length, started.length]).toEqual([before, 1])
  finish()
  await expect.poll(() => results.length).toBe(4)
})

test('steps that a call brings during the stop are returned without running', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { stop, results, started } = open({
    steps: [someStep(1)],
    handler: untilAborted,
    exchange: (_handedIn, want) => {
      if (want > 0) resolve()
    },
  })
  await promise
  await stop(0)
  expect([results, started]).toMatchObject([[{ id: 1, outcome: 'returned' }], []])
})
