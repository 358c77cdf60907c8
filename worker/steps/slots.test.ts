import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { someStep } from '../../scripts/testing/steps.ts'
import { createClaimsTable, readClaims } from '../heartbeat/claims_table.ts'
import { StepError } from '../outcomes/outcome.ts'
import type { Claim } from './claim.ts'
import { createSlots } from './slots.ts'

/** Two slots, whose steps end when a test says so. */
function open(ignoredMaxMs = 60_000) {
  const started: number[] = []
  const results: string[] = []
  const ends: number[] = []
  const ignoring: number[] = []
  const open = new Map<number, { claim: Claim; end(): void }>()
  const table = createClaimsTable(['x'], 16)
  let stalledAt = Number.NEGATIVE_INFINITY
  const slots = createSlots({
    concurrency: 2,
    table,
    mayBegin: ({ askedAt }) => askedAt > stalledAt,
    runStep: (claim) => {
      const { id } = claim.step
      started.push(id)
      return new Promise((resolve) => {
        open.set(id, { claim, end: () => resolve(`${id} ended`) })
      })
    },
    callAs: (_claim, work) => work(),
    onResult: ({ fence, text }) => void results.push(text.startsWith('{') ? describe(fence, text) : text),
    onEnd: (durationMs) => void ends.push(durationMs),
    onIgnoredSignal: ({ step }) => void ignoring.push(step.id),
    ignoredMaxMs,
  })
  const end = async (id: number) => {
    open.get(id)?.end()
    await sleep(0)
  }
  const claimOf = (id: number) => open.get(id)?.claim as Claim
  const reasonOf = (id: number) => open.get(id)?.claim.abort.signal.reason
  const stall = () => {
    stalledAt = performance.now()
  }
  const list = () => readClaims(table.memory).map(({ fence, state, progress }) => [fence, state, progress])
  return { slots, started, results, ends, ignoring, end, stall, list, claimOf, reasonOf }
}
/** Describes a result that does not come from the handler, such as `3 returned` or `1 failed timed_out`. */
function describe(fence: number, text: string): string {
  const { outcome, error } = JSON.parse(text) as { outcome: string; error?: { slug: string } }
  return [fence, outcome, ...(error ? [error.slug] : [])].join(' ')
}
const steps = (...ids: number[]) => ids.map((id) => someStep(id))

test('runs as many claims as there are slots, in order, and lets the others wait', async () => {
  const { slots, started, results, ends, end } = open()
  slots.add(steps(1, 2, 3))
  slots.add(steps(4))
  expect([started, slots.size, slots.waiting]).toEqual([[1, 2], 4, 2])
  await end(2)
  expect([started, results, slots.size, slots.waiting]).toEqual([[1, 2, 3], ['2 ended'], 3, 1])
  expect(ends).toEqual([expect.any(Number)])
  for (const id of [1, 3, 4]) await end(id)
  expect([started, slots.size]).toEqual([[1, 2, 3, 4], 0])
})

test('the table has a claim until the database has its result', async () => {
  const { slots, end, list, claimOf } = open()
  slots.add(steps(1, 2, 3))
  expect(list()).toEqual([
    [1, 'begun', 0],
    [2, 'begun', 0],
    [3, 'waiting', 0],
  ])
  claimOf(2).progress = 0.25
  slots.report()
  await end(1)
  expect(list()).toEqual([
    [1, 'ended', 0],
    [2, 'begun', 0.25],
    [3, 'begun', 0],
  ])
  slots.forget([1])
  expect(list()).toEqual([
    [2, 'begun', 0.25],
    [3, 'begun', 0],
  ])
})

test('returns claims that wait too long, and no running claim', async () => {
  const { slots, started, results } = open()
  slots.add(steps(1, 2, 3, 4))
  await sleep(300)
  slots.add(steps(5))
  expect(slots.returnStale(200)).toBe(2)
  expect([results, started, slots.waiting]).toEqual([['3 returned', '4 returned'], [1, 2], 1])
  expect(slots.returnStale(200)).toBe(0)
})

test('ends a claim: aborts a running claim, and returns a waiting one', () => {
  const { slots, results, reasonOf } = open()
  slots.add(steps(1, 2, 3))
  slots.end(1)
  slots.end(3)
  slots.end(99)
  expect(reasonOf(1)).toMatchObject({ message: 'The run has ended, or another worker has the step.' })
  expect([reasonOf(2), results, slots.waiting]).toEqual([undefined, ['3 returned'], 0])
})

test('after close, returns waiting and new claims, and lets running claims end', async () => {
  const { slots, started, results, end, reasonOf } = open()
  slots.add(steps(1, 2, 3))
  slots.close()
  slots.add(steps(4))
  expect([started, results]).toEqual([
    [1, 2],
    ['3 returned', '4 returned'],
  ])
  expect(reasonOf(1)).toBeUndefined()
  await end(1)
  expect([results.at(-1), started]).toEqual(['1 ended', [1, 2]])
})

test('at the end, returns claims that ignore the stop, fails those that ignored a timeout, and drops their results', async () => {
  const { slots, results, end, claimOf, reasonOf } = open()
  slots.add(steps(1, 2))
  claimOf(2).abort.abort(new StepError('timed_out', 'The handler took too long.'))
  slots.close()
  slots.abort()
  expect(reasonOf(1)).toMatchObject({ message: 'The worker is stopping.' })
  slots.endRunning()
  expect([results, slots.size]).toEqual([['1 returned', '2 failed timed_out'], 0])
  await end(1)
  expect(results).toHaveLength(2)
})

test('the table tells which claims have not begun, also when they are returned', () => {
  const { slots, list } = open()
  slots.add(steps(1, 2, 3))
  slots.close()
  expect(list().map(([fence, state]) => [fence, state])).toEqual([
    [1, 'begun'],
    [2, 'begun'],
    [3, 'waiting'],
  ])
})

test('after a stall, returns the claims that this process asked for before it, and runs later ones', async () => {
  const { slots, stall, started, results, end } = open()
  slots.add(steps(1, 2, 3, 4))
  stall()
  await end(1)
  expect([started, results]).toEqual([
    [1, 2],
    ['1 ended', '3 returned', '4 returned'],
  ])
  slots.add(steps(5), performance.now() - 1000)
  await sleep(2)
  slots.add(steps(6))
  expect([started, results.slice(3)]).toEqual([[1, 2, 6], ['5 returned']])
})

test('a step that must run alone starts when the database has all results, and nothing else starts before it has its result', async () => {
  const { slots, started, results, end } = open()
  slots.add(steps(1, 2))
  slots.add([someStep(3, { runs_alone: true }), someStep(4)])
  expect([started, results, slots.isReserved]).toEqual([[1, 2], ['4 returned'], true])
  await end(1)
  slots.forget([1, 4])
  await end(2)
  expect(started).toEqual([1, 2])
  slots.forget([2])
  expect(started).toEqual([1, 2, 3])
  slots.add(steps(5))
  await end(3)
  expect([started, results.at(-2), slots.isReserved]).toEqual([[1, 2, 3], '5 returned', true])
  slots.forget([3, 5])
  slots.add(steps(6))
  expect([started, slots.isReserved]).toEqual([[1, 2, 3, 6], false])
})

test('a step that must run alone does not wait for results that are late, and the table keeps their claims', async () => {
  const { slots, started, end, list } = open()
  slots.add([someStep(1, { runs_alone: true })])
  await end(1)
  expect(slots.isReserved).toBe(true)
  slots.postpone([1])
  slots.add([someStep(2, { runs_alone: true })])
  expect([started, slots.isReserved]).toEqual([[1, 2], true])
  expect(list().map(([id, state]) => [id, state])).toEqual([
    [1, 'ended'],
    [2, 'begun'],
  ])
  slots.forget([1])
  expect([list().length, slots.isReserved]).toEqual([1, true])
  await end(2)
  slots.forget([2])
  expect([list(), slots.isReserved]).toEqual([[], false])
})

test('the next step that must run alone is not stale', async () => {
  const { slots, started, results, end } = open()
  slots.add(steps(1))
  slots.add([someStep(2, { runs_alone: true })])
  await sleep(30)
  expect([slots.returnStale(20), results]).toEqual([0, []])
  await end(1)
  slots.forget([1])
  expect(started).toEqual([1, 2])
})

test('claims start again when a step that must run alone is ended and the database knows', () => {
  const { slots, started, results } = open()
  slots.add(steps(1))
  slots.add([someStep(2, { runs_alone: true })])
  slots.end(2)
  expect([started, results, slots.isReserved]).toEqual([[1], ['2 returned'], true])
  slots.forget([2])
  slots.add(steps(3))
  expect([started, slots.isReserved]).toEqual([[1, 3], false])
})

test('after an accident, fails the culprit and returns the others at once; without a culprit, each counts a loss', async () => {
  const known = open()
  known.slots.add(steps(1, 2, 3))
  known.slots.endAfterAccident('rejection', known.claimOf(2))
  known.slots.add(steps(4))
  expect(known.results).toEqual(['3 returned', '1 returned', '2 failed handler_crashed', '4 returned'])
  expect([known.reasonOf(1), known.started, known.slots.size]).toEqual([expect.any(Error), [1, 2], 0])
  await known.end(2)
  expect(known.results).toHaveLength(4)

  const unknown = open()
  unknown.slots.add(steps(1, 2, 3))
  unknown.slots.endAfterAccident('exception', undefined)
  expect(unknown.results).toEqual(['3 returned', '1 lost worker_lost', '2 lost worker_lost'])
})

test('reports a handler that ignores its signal, once, and keeps its slot', async () => {
  const { slots, started, ignoring, end } = open(20)
  slots.add(steps(1, 2, 3))
  slots.end(1)
  slots.end(2)
  await end(2)
  await expect.poll(() => ignoring).toEqual([1])
  expect([started, slots.size]).toEqual([[1, 2, 3], 2])
  await end(1)
  await sleep(30)
  expect(ignoring).toEqual([1])
})

test('a step that must run alone starts when the database has the returns of all other claims', () => {
  const { slots, started, results } = open()
  slots.add([someStep(1), someStep(2, { runs_alone: true }), someStep(3, { runs_alone: true })])
  expect([started, results]).toEqual([[], ['1 returned', '3 returned']])
  slots.forget([1, 3])
  expect(started).toEqual([2])
  slots.add(steps(4))
  expect([started, results.at(-1)]).toEqual([[2], '4 returned'])
})
