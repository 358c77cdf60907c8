import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLineLimit } from './limit_lines.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Collects the lines that a limit writes. */
function collect(options?: Parameters<typeof createLineLimit>[0]) {
  const limit = createLineLimit(options)
  const lines: string[] = []
  const log = (kind: string, text = kind) => limit(kind, (leftOut) => lines.push(`${text} ${leftOut}`))
  return { lines, log, flush: limit.flush }
}

test('writes the first line of each kind at once, and the last one of the second at its end', () => {
  const { lines, log } = collect()
  for (const text of ['1', '2', '3', '4']) log('a', text)
  log('b')
  expect(lines).toEqual(['1 0', 'b 0'])
  vi.advanceTimersByTime(1000)
  expect(lines).toEqual(['1 0', 'b 0', '4 2'])
})

test('a flood of an hour writes one line a second, and counts all others', () => {
  const { lines, log } = collect()
  for (let second = 0; second < 3600; second++) {
    for (let n = 0; n < 10; n++) log('a')
    vi.advanceTimersByTime(1000)
  }
  expect(lines).toHaveLength(3601)
  const leftOut = lines.map((line) => Number(line.split(' ')[1])).reduce((sum, number) => sum + number, 0)
  expect(leftOut + lines.length).toBe(36_000)
})

test('a kind that was silent for a second is written at once again, and is forgotten', () => {
  const { lines, log } = collect()
  log('a')
  vi.advanceTimersByTime(1000)
  expect(vi.getTimerCount()).toBe(0)
  log('a')
  expect(lines).toEqual(['a 0', 'a 0'])
})

test('beyond the limit of kinds, all further kinds are one', () => {
  const { lines, log } = collect({ kindsMax: 2 })
  for (const kind of ['a', 'b', 'c', 'd', 'e', 'a']) log(kind)
  expect(lines).toEqual(['a 0', 'b 0', 'c 0'])
  vi.advanceTimersByTime(1000)
  expect(lines).toEqual(['a 0', 'b 0', 'c 0', 'a 0', 'e 1'])
})

test('a flush writes the last line of each kind at once, and only once', () => {
  const { lines, log, flush } = collect()
  for (const text of ['1', '2', '3']) log('a', text)
  log('b')
  flush()
  flush()
  expect(lines).toEqual(['1 0', 'b 0', '3 1'])
  log('a', '4')
  vi.advanceTimersByTime(1000)
  expect(lines).toEqual(['1 0', 'b 0', '3 1', '4 0'])
})
