import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { slowestPace, watchPace } from './pace.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Returns the second in which a client that sends these bytes each second is too slow; undefined: not within an hour. */
function slowAfter(bytesPerSecond: (second: number) => number): number | undefined {
  const slow: true[] = []
  const watch = watchPace(slowestPace, () => slow.push(true))
  try {
    for (let second = 0; second < 3600; second++) {
      watch.count(bytesPerSecond(second))
      vi.advanceTimersByTime(1000)
      if (slow.length > 0) return second
    }
    return undefined
  } finally {
    watch.stop()
  }
}

test('a client that sends nothing, or a byte now and then, is too slow after ten seconds', () => {
  expect(slowAfter(() => 0)).toBe(10)
  expect(slowAfter((second) => (second % 5 === 0 ? 1 : 0))).toBe(10)
})

test('a client may send 16 KB a second without a limit of time, and not less', () => {
  expect(slowAfter(() => 16_384)).toBeUndefined()
  expect(slowAfter(() => 40_000)).toBeUndefined()
  expect(slowAfter(() => 8_192)).toBe(20)
  expect(slowAfter(() => 16_000)).toBeLessThan(600)
})

test('a fast client may pause for half a minute, but 20 MB do not buy more', () => {
  expect(slowAfter((second) => (second % 25 === 0 ? 1_000_000 : 0))).toBeUndefined()
  expect(slowAfter((second) => (second === 0 ? 20_000_000 : 0))).toBe(30)
})
