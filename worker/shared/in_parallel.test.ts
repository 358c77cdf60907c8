import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { inParallel } from './in_parallel.ts'

test('works on each item once, with as many calls at a time as allowed', async () => {
  const done: number[] = []
  let now = 0
  let most = 0
  await inParallel([1, 2, 3, 4, 5, 6, 7], 3, undefined, async (item) => {
    now += 1
    most = Math.max(most, now)
    await sleep(item)
    now -= 1
    done.push(item)
  })
  expect([done.sort(), most]).toEqual([[1, 2, 3, 4, 5, 6, 7], 3])
})

test('does nothing without items', async () => {
  await inParallel([], 3, undefined, () => expect.unreachable('work was called'))
})

test('after a failure starts no further call, aborts the running ones, waits for them, and throws the first failure', async () => {
  const started: number[] = []
  const reasons: unknown[] = []
  const first = new Error('first')
  const working = inParallel([1, 2, 3, 4], 2, undefined, async (item, signal) => {
    started.push(item)
    if (item === 1) throw first
    await sleep(10_000, undefined, { signal }).catch(() => {})
    await sleep(20)
    reasons.push(signal.reason)
    throw new Error('second')
  })
  await expect(working).rejects.toBe(first)
  expect([started, reasons]).toEqual([[1, 2], [first]])
})

test('stops when the signal aborts, and throws its reason', async () => {
  const stopping = new AbortController()
  const reason = new Error('The worker is stopping.')
  const started: number[] = []
  const working = inParallel([1, 2, 3], 1, stopping.signal, async (item) => {
    started.push(item)
    stopping.abort(reason)
  })
  await expect(working).rejects.toBe(reason)
  expect(started).toEqual([1])
})
