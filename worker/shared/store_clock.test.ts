import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startStoreClock } from './store_clock.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const kib = 1024

test('ends a silent call after its time', () => {
  const clock = startStoreClock(1000, undefined)
  vi.advanceTimersByTime(999)
  expect([clock.signal.aborted, Math.round(clock.leftMs())]).toEqual([false, 1])
  vi.advanceTimersByTime(1)
  expect(clock.signal.reason).toMatchObject({ message: 'no answer within 1 s' })
})

test('gives a large object that moves more time, and ends when it stops', () => {
  const clock = startStoreClock(1000, undefined)
  for (let second = 1; second <= 10; second++) {
    clock.move(second * 512 * kib)
    vi.advanceTimersByTime(900)
  }
  expect(clock.signal.aborted).toBe(false)
  vi.advanceTimersByTime(100)
  expect(clock.signal.aborted).toBe(true)
})

test('gives no more time for drops, nor for bytes that an attempt moves again', () => {
  const drops = startStoreClock(1000, undefined)
  const again = startStoreClock(1000, undefined)
  again.move(256 * kib)
  for (let n = 1; n <= 11; n++) {
    vi.advanceTimersByTime(100)
    drops.move(n * kib)
    again.move(n * kib)
  }
  expect([drops.signal.aborted, again.signal.aborted]).toEqual([true, true])
})

test('ends with the caller, and not after it was stopped', () => {
  const caller = new AbortController()
  const clock = startStoreClock(1000, caller.signal)
  const stopped = startStoreClock(1000, caller.signal)
  stopped.stop()
  const reason = new Error('The worker stops.')
  caller.abort(reason)
  expect(clock.signal.reason).toBe(reason)
  vi.advanceTimersByTime(2000)
  expect(stopped.signal.aborted).toBe(false)
})
