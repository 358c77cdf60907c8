import { pino } from 'pino'
import { beforeEach, expect, test } from 'vitest'
import { createGate, DatabaseAway, type Gate, isAway, pauseAfter } from './connection_gate.ts'

type Line = { msg: string; reason?: string; code?: string; retry_in_ms?: number; after_ms?: number; attempts?: number }

let lines: Line[]
let gate: Gate
let now: number
let random: number
beforeEach(() => {
  lines = []
  now = 1000
  random = 0.5
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  gate = createGate({ logger, now: () => now, random: () => random })
})

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' })
const wrongPassword = Object.assign(new Error('password authentication failed'), { code: '28P01' })

/** Lets a client try as often as the gate permits for some time. Returns when each attempt began, and the pauses. */
function tryFor(seconds: number, error: Error): number[] {
  const since = now
  const times: number[] = []
  for (; now < since + seconds * 1000; now += 10) {
    try {
      gate.enter().fail(error)
      times.push(now - since)
    } catch (closed) {
      expect(closed).toBeInstanceOf(DatabaseAway)
    }
  }
  return times
}

test('a refused login is tried again after 5 s, then after growing pauses of 20 s at most', () => {
  expect(tryFor(100, wrongPassword)).toEqual([0, 5000, 15000, 35000, 55000, 75000, 95000])
})

test('a refused connection is tried again after 0.1 s, then after growing pauses of 20 s at most', () => {
  const times = tryFor(200, refused)
  expect(times.slice(0, 5)).toEqual([0, 100, 230, 390, 590])
  expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(20_000)
  // After an outage of T, the next attempt comes at most a quarter of T later.
  for (const [index, time] of times.slice(1).entries())
    expect(time - (times[index] ?? 0)).toBeLessThan(0.26 * time + 120)
})

test('a shorter limit of pauses is for refused connections only', () => {
  const logger = pino({ level: 'silent' })
  gate = createGate({ logger, longestPauseMs: () => 1000, now: () => now, random: () => 0.5 })
  const times = tryFor(30, refused)
  expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(1000)
  now += 1000
  expect(tryFor(10, wrongPassword)).toEqual([0, 5000])
})

test.each([
  [0, 3750],
  [1, 6250],
])('a pause varies by a quarter: with %d at random it takes %d ms', (value, ms) => {
  random = value
  expect(tryFor(7, wrongPassword).slice(0, 2)).toEqual([0, ms])
})

test('attempts that began together close the gate once', () => {
  const attempts = Array.from({ length: 10 }, () => gate.enter())
  for (const attempt of attempts) expect(attempt.fail(refused)).toBeInstanceOf(DatabaseAway)
  now += 100
  gate.enter()
})

test('only one attempt runs at a time while the database is away; the others fail with the last reason', () => {
  gate.enter().fail(refused)
  now += 100
  const probe = gate.enter()
  now += 60_000
  expect(() => gate.enter()).toThrow(refused.message)
  expect(probe.fail(refused).retryInMs).toBe(125)
  now += 100
  expect(() => gate.enter()).toThrow(expect.objectContaining({ retryInMs: 25 }))
  now += 25
  gate.enter().succeed()
  gate.enter()
  gate.enter()
})

test('the pauses start again after a success', () => {
  tryFor(60, refused)
  now += 20_000
  gate.enter().succeed()
  expect(tryFor(1, refused).slice(0, 2)).toEqual([0, 100])
})

test('the log says why once, when the reason changes, and when the outage is over', () => {
  tryFor(10, refused)
  tryFor(60, wrongPassword)
  now += 20_000
  gate.enter().succeed()
  expect(lines).toMatchObject([
    { msg: 'Database cannot be reached', code: 'ECONNREFUSED', reason: refused.message, retry_in_ms: 100 },
    { msg: 'Database cannot be reached', code: '28P01' },
    { msg: 'Database accepts connections again', after_ms: 90_000 },
  ])
})

test('an error of a call says whether the gate has logged its reason', () => {
  const error = gate.enter().fail(refused)
  expect(error).toMatchObject({ code: 'ECONNREFUSED', cause: refused })
  expect(isAway(error)).toBe(true)
  expect(isAway(new Error('worker.ping failed', { cause: error }))).toBe(true)
  expect(isAway(new Error('worker.ping failed', { cause: refused }))).toBe(false)
  expect(isAway(undefined)).toBe(false)
})

test('a caller repeats its call when somebody may try, after 20 ms at least and 1 s at most', () => {
  const pauses = [5, 300, 9000].map((ms) => pauseAfter(new DatabaseAway(refused, ms), 50))
  expect(pauses).toEqual([20, 300, 1000])
  expect(pauseAfter(refused, 50)).toBe(50)
})

test('an error without a message gives its code as the reason', () => {
  expect(gate.enter().fail(Object.assign(new AggregateError([]), { code: 'ETIMEDOUT' })).message).toBe('ETIMEDOUT')
})
