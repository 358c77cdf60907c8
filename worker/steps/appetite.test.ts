import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createAppetite } from './appetite.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open(concurrency = 10) {
  const onWake = vi.fn()
  return { appetite: createAppetite({ concurrency, onWake }), onWake }
}
/** As after many steps of this length. */
function learned(durationMs: number, concurrency = 10) {
  const { appetite, onWake } = open(concurrency)
  for (let n = 0; n < 500; n++) appetite.learn(durationMs)
  appetite.grow()
  return { appetite, onWake }
}

test('wants nothing before it is woken', () => {
  const { appetite, onWake } = open()
  expect(appetite.count(0)).toBe(0)
  appetite.wake()
  expect([appetite.count(0), onWake.mock.calls.length]).toEqual([10, 1])
})

test.each([
  ['long ones as slots become free', 60_000, 10],
  ['some of 50 ms ahead', 50, 20],
  ['many short ones ahead', 10, 100],
  ['no more than 20 times the slots ahead', 0, 200],
])('claims %s', (_how, durationMs, count) => {
  const { appetite } = learned(durationMs)
  expect([appetite.count(0), appetite.count(3), appetite.count(1000)]).toEqual([count, count - 3, 0])
})

test('claims 500 at a time at most', () => {
  expect(learned(1, 100).appetite.count(0)).toBe(500)
})

test('claims nothing ahead after claimed steps got no slot', () => {
  const { appetite } = learned(1)
  appetite.shrink()
  expect(appetite.count(0)).toBe(10)
})

test('rests until the next step is due, but for a minute at most', () => {
  for (const [wakeInMs, expected] of [
    [3000, 3000],
    [3_600_000, 60_000],
  ] as const) {
    const { appetite, onWake } = learned(10)
    appetite.rest(wakeInMs)
    expect(appetite.count(0)).toBe(0)
    vi.advanceTimersByTime(expected - 1)
    expect(onWake).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onWake).toHaveBeenCalledOnce()
    expect(appetite.count(0)).toBe(100)
  }
})

test('rests longer each time when steps are due but cannot be claimed, until an exchange returns steps', () => {
  const { appetite, onWake } = learned(10)
  const pauses: number[] = []
  const pause = () => {
    onWake.mockClear()
    appetite.rest(0)
    let ms = 0
    for (; onWake.mock.calls.length === 0; ms++) vi.advanceTimersByTime(1)
    pauses.push(ms)
  }
  for (let n = 0; n < 9; n++) pause()
  appetite.feed()
  pause()
  expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 320, 500, 500, 5])
})

test('asks once more when no step is queued, and then waits to be woken', () => {
  const { appetite, onWake } = learned(10)
  appetite.rest(null)
  vi.advanceTimersByTime(20)
  expect(onWake).toHaveBeenCalledOnce()
  appetite.rest(null)
  vi.advanceTimersByTime(3_600_000)
  expect(onWake).toHaveBeenCalledOnce()
  appetite.wake()
  expect(onWake).toHaveBeenCalledTimes(2)
})

test('wake ends a rest', () => {
  const { appetite, onWake } = learned(10)
  appetite.rest(1000)
  appetite.wake()
  vi.advanceTimersByTime(1000)
  expect(onWake).toHaveBeenCalledOnce()
})

test('wants nothing after a stop', () => {
  const { appetite, onWake } = learned(10)
  appetite.rest(1000)
  appetite.stop()
  appetite.grow()
  appetite.wake()
  appetite.rest(1000)
  vi.advanceTimersByTime(10_000)
  expect([appetite.count(0), onWake.mock.calls.length]).toEqual([0, 0])
})
