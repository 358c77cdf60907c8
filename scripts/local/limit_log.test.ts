import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { limitLog, readPostgresLine, readPostgrestLine } from './limit_log.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Returns the lines that a filter writes. */
function collect(read: Parameters<typeof limitLog>[0]) {
  let text = ''
  const { take, end } = limitLog(read, (piece) => {
    text += piece
  })
  return {
    take: (...lines: string[]) => take(`${lines.join('\n')}\n`),
    end,
    lines: () => text.trimEnd().split('\n'),
  }
}

describe('the log of Postgres', () => {
  const entry = (pid: number, message: string) => [
    `2026-11-27 09:00:00.000 UTC [${pid}] ERROR:  ${message}`,
    `2026-11-27 09:00:00.000 UTC [${pid}] DETAIL:  flow_invalid`,
    `2026-11-27 09:00:00.000 UTC [${pid}] CONTEXT:  SQL statement "SELECT`,
    '\tapp.fail()"',
    `2026-11-27 09:00:00.000 UTC [${pid}] STATEMENT:  select 1`,
  ]

  test('has the first error of a kind in full, and the last error of the second as one line with the number of the others', () => {
    const { take, lines } = collect(readPostgresLine)
    for (let n = 1; n <= 5; n++) take(...entry(n, `invalid input syntax for type uuid: "x${n}"`))
    expect(lines()).toEqual(entry(1, 'invalid input syntax for type uuid: "x1"'))
    vi.advanceTimersByTime(1000)
    const [last] = entry(5, 'invalid input syntax for type uuid: "x5"')
    expect(lines().slice(5)).toEqual([`${last} (3 more lines like this were left out)`])
  })

  test('has errors of other kinds, and refusals with headers by their slug', () => {
    const { take, lines } = collect(readPostgresLine)
    const refusal = (slug: string) => `{"code" : "PT429", "message" : "Too many: 120.", "details" : "${slug}"}`
    for (const message of ['Flow not found.', refusal('rate_limited'), refusal('uploads_busy'), 'Flow not found.'])
      take(...entry(1, message))
    expect(lines().filter((line) => line.includes('ERROR'))).toHaveLength(3)
  })

  test('keeps the lines of each process together, and every line that is not an error', () => {
    const { take, lines } = collect(readPostgresLine)
    const [head = '', ...rest] = entry(2, 'Flow not found.')
    const log = '2026-11-27 09:00:00.000 UTC [3] LOG:  duration: 1001.5 ms  plan:'
    take(...entry(1, 'Flow not found.'))
    take(head, log, '\tSeq Scan', log, ...rest)
    expect(lines().slice(5)).toEqual([log, '\tSeq Scan', log])
  })

  test('has every plan of a slow statement in a burst of errors, also of the same process', () => {
    const { take, lines } = collect(readPostgresLine)
    const plan = ['2026-11-27 09:00:00.000 UTC [1] LOG:  duration: 1001.5 ms  plan:', '\tQuery Text: x', '\tSeq Scan']
    const context = '2026-11-27 09:00:00.000 UTC [1] CONTEXT:  PL/pgSQL function app.slow() line 3'
    for (let n = 0; n < 200; n++) take(...entry(1, 'Flow not found.'), ...plan, context)
    const planLines = lines().filter((line) => [...plan, context].includes(line))
    expect(planLines).toHaveLength(200 * 4)
  })

  test('has the last error of a second also when the process ends', () => {
    const { take, end, lines } = collect(readPostgresLine)
    for (const n of [1, 2, 3]) take(...entry(n, 'Flow not found.'))
    end()
    expect(lines().slice(5)).toEqual([`${entry(3, 'Flow not found.')[0]} (1 more lines like this were left out)`])
  })

  test('may arrive in any pieces', () => {
    let text = ''
    const { take } = limitLog(readPostgresLine, (piece) => {
      text += piece
    })
    const whole = `${[...entry(1, 'a "b'), ...entry(2, 'c')].join('\n')}\n`
    for (const character of whole) take(character)
    expect(text).toBe(whole)
  })
})

test('the log of PostgREST has one line a second for each method and status', () => {
  const { take, lines } = collect(readPostgrestLine)
  const line = (path: string, status: number) =>
    `127.0.0.1 - anon [27/Nov/2026:09:00:00 +0000] "GET ${path} HTTP/1.1" ${status} - "" "node"`
  take(line('/flows?a=1', 400), line('/flows?a=2', 400), line('/flows?a=" 500 "', 400), line('/flows', 401))
  take('27/Nov/2026:09:00:00 +0000: Schema cache loaded', '27/Nov/2026:09:00:00 +0000: Schema cache loaded')
  expect(lines()).toHaveLength(4)
})
