import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTicks } from './ticks.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Stalls, as if a handler blocked the process; or, with `isSuspended`, as if the machine was suspended. */
function stall(ms: number, { isSuspended = false } = {}): void {
  const timers = vi.getTimerCount()
  expect(timers).toBe(1)
  const now = performance.now()
  if (isSuspended) vi.setSystemTime(Date.now() + ms)
  else vi.spyOn(performance, 'now').mockImplementation(() => now + ms)
}
afterEach(() => void vi.restoreAllMocks())

test('ticks twice a second until it is stopped', async () => {
  const tick = vi.fn()
  const onTick = vi.fn()
  const ticks = createTicks({ tick }, onTick)
  await vi.advanceTimersByTimeAsync(2000)
  expect(tick).not.toHaveBeenCalled()
  ticks.start()
  await vi.advanceTimersByTimeAsync(2000)
  expect([tick.mock.calls.length, onTick.mock.calls.length]).toEqual([5, 4])
  ticks.stop()
  await vi.advanceTimersByTimeAsync(2000)
  expect(tick).toHaveBeenCalledTimes(5)
  expect(ticks.stalledAt).toBe(Number.NEGATIVE_INFINITY)
})

test.each([
  ['blocked', false],
  ['suspended', true],
])('knows a stall before the next tick: %s', async (_how, isSuspended) => {
  const ticks = createTicks({ tick: () => {} }, () => {})
  ticks.start()
  await vi.advanceTimersByTimeAsync(1000)
  expect(ticks.stalledAt).toBe(Number.NEGATIVE_INFINITY)
  const askedBefore = performance.now()
  stall(2600, { isSuspended })
  const { stalledAt } = ticks
  expect(stalledAt).toBe(performance.now())
  expect(askedBefore <= stalledAt).toBe(true)
  await vi.advanceTimersByTimeAsync(1000)
  expect(ticks.stalledAt).toBe(stalledAt)
  ticks.stop()
})

test('ignores a tick that comes two seconds late', async () => {
  const ticks = createTicks({ tick: () => {} }, () => {})
  ticks.start()
  await vi.advanceTimersByTimeAsync(1000)
  stall(2400)
  expect(ticks.stalledAt).toBe(Number.NEGATIVE_INFINITY)
  ticks.stop()
})

test('ignores the time before the start', async () => {
  const ticks = createTicks({ tick: () => {} }, () => {})
  await vi.advanceTimersByTimeAsync(60_000)
  expect(ticks.stalledAt).toBe(Number.NEGATIVE_INFINITY)
  ticks.start()
  expect(ticks.stalledAt).toBe(Number.NEGATIVE_INFINITY)
  ticks.stop()
})
