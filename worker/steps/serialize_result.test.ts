import { describe, expect, test } from 'vitest'
import { Reschedule, StepError } from './outcome.ts'
import { describeFailure, describeResult } from './serialize_result.ts'

const step = { id: 1, fence: 2, max_output_bytes: 100 }
const circular: { self?: unknown } = {}
circular.self = circular

describe('a result', () => {
  test.each([
    ['nothing', undefined, undefined],
    ['a value outside JSON', 1n, 'output_invalid'],
    ['a circle', circular, 'output_invalid'],
    ['a character that jsonb cannot hold', { text: 'a\u0000' }, 'output_invalid'],
    ['half a surrogate pair', '\ud83d', 'output_invalid'],
    ['an escaped escape', 'a\\u0000', undefined],
    ['too many bytes', 'x'.repeat(200), 'output_too_large'],
    ['as many bytes as allowed', 'x'.repeat(98), undefined],
    ['two bytes a character', 'é'.repeat(98), 'output_too_large'],
  ])('with %s can be handed in', (_what, output, slug) => {
    expect(JSON.parse(describeResult(step, output)).error?.slug).toBe(slug)
  })

  test.each([
    [-5, 0],
    [Number.NaN, 0],
    [1.4, 1],
    [1e17, 86_400_000],
    [Number.POSITIVE_INFINITY, 86_400_000],
  ])('with a delay of %d ms is delayed by %d ms', (delay, expected) => {
    expect(JSON.parse(describeResult(step, new Reschedule({}, delay))).retry_in_ms).toBe(expected)
    const failure = new StepError('busy', 'Busy.', { retryInMs: delay })
    expect(JSON.parse(describeFailure(step, failure)).retry_in_ms).toBe(expected)
  })
})

test.each([
  ['an error', new Error('gone'), 'gone'],
  ['a text', 'gone', 'gone'],
  ['nothing', undefined, 'undefined'],
  ['a symbol', Symbol('gone'), 'Symbol(gone)'],
  ['an error whose message is not a text', Object.assign(new Error('x'), { message: { a: 1 } }), '[object Object]'],
  ['a value without a text', Object.create(null), 'The handler threw a value that cannot be converted to text.'],
])('turns %s that was thrown into a failure', (_what, thrown, message) => {
  expect(JSON.parse(describeFailure(step, thrown)).error).toEqual({ slug: 'handler_failed', message })
})
