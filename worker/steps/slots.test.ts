import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { someStep } from '../../scripts/testing/steps.ts'
import type { Claim } from './claim.ts'
import { createSlots } from './slots.ts'

/** Two slots, whose steps end when a test says so. */
function open() {
  const started: number[] = []
  const results: string[] = []
  const ends: number[] = []
  const open = new Map<number, { claim: Claim; end(): void }>()
  const slots = createSlots({
    concurrency: 2,
    runStep: (claim) => {
      const { id } = claim.step
      started.push(id)
      return new Promise((resolve) => {
        open.set(id, { claim, end: () => resolve(`${id} ended`) })
      })
    },
    onResult: ({ fence, text }) => void results.push(text.includes('"returned"') ? `${fence} returned` : text),
    onEnd: (durationMs) => void ends.push(durationMs),
  })
  const end = async (id: number) => {
    open.get(id)?.end()
    await sleep(0)
  }
  return { slots, started, results, ends, end, reasonOf: (id: number) => open.get(id)?.claim.abort.signal.reason }
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

test('lists a claim until the database has its result', async () => {
  const { slots, end } = open()
  const list = () => slots.list().map(({ fence }) => fence)
  slots.add(steps(1, 2, 3))
  expect(slots.list()[0]).toEqual({ id: 1, fence: 1, progress: 0 })
  await end(1)
  expect(list()).toEqual([1, 2, 3])
  slots.forget([1])
  expect(list()).toEqual([2, 3])
})

test('returns claims that wait too long, and no running claim', async () => {
  const { slots, started, results } = open()
  slots.add(steps(1, 2, 3, 4))
  await sleep(30)
  slots.add(steps(5))
  expect(slots.returnStale(20)).toBe(2)
  expect([results, started, slots.waiting]).toEqual([['3 returned', '4 returned'], [1, 2], 1])
  expect(slots.returnStale(20)).toBe(0)
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

test('after close, returns waiting and new claims, and aborts running claims', () => {
  const { slots, started, results, reasonOf } = open()
  slots.add(steps(1, 2, 3))
  slots.close()
  expect(reasonOf(1)).toMatchObject({ message: 'The worker is stopping.' })
  slots.add(steps(4))
  expect([started, results]).toEqual([
    [1, 2],
    ['3 returned', '4 returned'],
  ])
  slots.returnRunning()
  expect(results.slice(2)).toEqual(['1 returned', '2 returned'])
})
