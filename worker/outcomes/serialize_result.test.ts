import { describe, expect, test } from 'vitest'
import { Reschedule, StepError, WithChildren } from './outcome.ts'
import { describeCrash, describeFailure, describeLoss, describeResult } from './serialize_result.ts'

const step = { id: 1, fence: 2, max_output_bytes: 100 }
const circular: { self?: unknown } = {}
circular.self = circular
const hostile = new Proxy(
  {},
  {
    ownKeys: () => {
      throw new Error('No.')
    },
  },
)

describe('a result', () => {
  test.each([
    ['nothing', null],
    ['an escaped escape', 'a\\u0000'],
    ['as many bytes as allowed', 'x'.repeat(98)],
    ['an optional property', { a: undefined }],
  ])('with %s can be handed in', (_what, output) => {
    expect(JSON.parse(describeResult(step, output))).toEqual({
      ...{ id: 1, fence: 2, outcome: 'completed' },
      output: JSON.parse(JSON.stringify(output)),
    })
  })

  test.each([
    ['undefined', undefined, 'output_invalid', 'output is undefined'],
    ['a value outside JSON', [1n], 'output_invalid', 'output[0] is a BigInt'],
    ['a circle', circular, 'output_invalid', 'output contains itself'],
    ['a character that jsonb cannot hold', { text: 'a\u0000' }, 'output_invalid', 'output.text has a \\u0000'],
    ['half a surrogate pair', '\ud83d', 'output_invalid', 'output has a \\u0000 or half a surrogate pair'],
    ['an object that throws', hostile, 'output_invalid', 'JSON.stringify cannot read the result'],
    ['too many bytes', 'x'.repeat(200), 'output_too_large', '202 bytes'],
    ['two bytes a character', 'é'.repeat(98), 'output_too_large', '198 bytes'],
    ['a state outside JSON', new Reschedule({ seen: new Set() }, 1), 'output_invalid', 'state.seen is a Set'],
    ['an undefined state', new Reschedule(undefined, 1), 'output_invalid', 'state is undefined'],
    ['an output of a parent', new WithChildren(undefined, []), 'output_invalid', 'output is undefined'],
    [
      'an input of a child',
      new WithChildren(1, [{ key: 'a', type: 'x', input: { n: Number.NaN } }]),
      'output_invalid',
      'children[0].input.n is NaN',
    ],
  ])('with %s fails permanently, and says where', (_what, result, slug, message) => {
    expect(() => describeResult(step, result)).toThrow(
      expect.objectContaining({ slug, isPermanent: true, message: expect.stringContaining(message) }),
    )
  })

  test('with children without an input can be handed in', () => {
    const children = [{ key: 'a', type: 'x', input: undefined }]
    expect(JSON.parse(describeResult(step, new WithChildren(1, children)))).toMatchObject({
      output: 1,
      children: [{ key: 'a', type: 'x' }],
    })
  })

  test.each([
    [-5, 0],
    [Number.NaN, 0],
    [1.4, 1],
    [259_200_000, 259_200_000],
    [1e17, 31_622_400_000],
    [Number.POSITIVE_INFINITY, 31_622_400_000],
  ])('that reschedules the step by %d ms is delayed by %d ms', (delay, expected) => {
    expect(JSON.parse(describeResult(step, new Reschedule({}, delay))).retry_in_ms).toBe(expected)
  })
})

test('a reschedule names that it resets the counts, and only then', () => {
  const describe = (options?: { resetsCounts: boolean }) =>
    JSON.parse(describeResult(step, new Reschedule({}, 0, options)))
  expect(describe({ resetsCounts: true })).toMatchObject({ outcome: 'rescheduled', resets_counts: true })
  expect(describe()).not.toHaveProperty('resets_counts')
})

describe('a failure', () => {
  test.each([
    [-5, 0],
    [Number.NaN, undefined],
    [1.4, 1],
    [1e17, 86_400_000],
    [Number.POSITIVE_INFINITY, 86_400_000],
  ])('with a delay of %d ms is delayed by %d ms', (retryInMs, expected) => {
    const failure = JSON.parse(describeFailure(step, new StepError('busy', 'Busy.', { retryInMs })))
    expect(failure.retry_in_ms).toBe(expected)
  })

  test('keeps the state of its step, unless it says that the operation has ended', () => {
    expect(JSON.parse(describeFailure(step, new StepError('busy', 'Busy.')))).not.toHaveProperty('state')
    expect(JSON.parse(describeFailure(step, new Error('Busy.')))).not.toHaveProperty('state')
    const ended = new StepError('refused', 'Refused.', { dropsState: true, isPermanent: true })
    expect(JSON.parse(describeFailure(step, ended))).toHaveProperty('state', null)
  })

  test.each([
    [-5, 0],
    [Number.NaN, undefined],
    [50_400_000.4, 50_400_000],
    [1e17, 90_000_000],
  ])('rests for %d ms of the provider’s day as %s', (dayEndsInMs, expected) => {
    const failure = JSON.parse(describeFailure(step, new StepError('spent', 'Tomorrow.', { dayEndsInMs })))
    expect(failure.day_ends_in_ms).toBe(expected)
  })

  test('that is permanent pauses nothing', () => {
    const error = new StepError('gone', 'Gone.', { isPermanent: true, retryInMs: 1e9, dayEndsInMs: 1e9 })
    expect(JSON.parse(describeFailure(step, error))).toEqual({
      ...{ id: 1, fence: 2, outcome: 'failed', is_permanent: true },
      error: { slug: 'gone', message: 'Gone.' },
    })
  })

  test('keeps slug, sentence and permanence of a StepError whose causes form a circle', () => {
    const error = new StepError('named', 'The text is empty. Send a text.', { isPermanent: true })
    error.cause = new Error('y', { cause: error })
    expect(JSON.parse(describeFailure(step, error))).toMatchObject({
      error: { slug: 'named', message: 'The text is empty. Send a text.' },
      is_permanent: true,
    })
  })

  test('has the message of its StepError without addresses, and cut', () => {
    const message = `Getting https://10.0.0.7/x failed. ${'x'.repeat(50_000_000)}`
    const { error } = JSON.parse(describeFailure(step, new StepError('x', message)))
    expect(error.message).toMatch(/^Getting … failed\. x+$/)
    expect(error.message).toHaveLength(2000)
  })

  const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' })
  const proxy = new Proxy(new StepError('x', 'x'), {
    get: () => {
      throw new Error('get')
    },
  })
  const traps = new Proxy(new Error('x'), {
    getPrototypeOf: () => {
      throw new Error('getPrototypeOf')
    },
  })
  test.each([
    ['an error', new TypeError('fetch failed', { cause: refused })],
    ['an AggregateError', new AggregateError([refused])],
    ['a text', 'connect ECONNREFUSED 10.0.0.7:5432'],
    ['null', null],
    ['undefined', undefined],
    ['a symbol', Symbol('gone')],
    ['a bigint', 1n],
    ['a value without a text', Object.create(null)],
    ['a proxy of a StepError that throws', proxy],
    ['a proxy that throws', traps],
  ])('from %s is handler_failed, with a constant sentence', (_what, thrown) => {
    const { error, is_permanent } = JSON.parse(describeFailure(step, thrown))
    expect(error.slug).toBe('handler_failed')
    expect(error.message).toMatch(/^The handler of this step failed unexpectedly\. Retry the run\. /)
    expect(is_permanent).toBe(false)
  })

  test('can be stored if the fields of its StepError have other types', () => {
    const error = Object.assign(new StepError('x', 'x'), { message: { a: 1 }, slug: 'No Slug', retryInMs: 'soon' })
    expect(JSON.parse(describeFailure(step, error))).toEqual({
      ...{ id: 1, fence: 2, outcome: 'failed', is_permanent: false },
      error: { slug: 'handler_failed', message: '[object Object]' },
    })
  })
})

test('a crash counts as a failure of its step, and a loss as a loss', () => {
  expect(JSON.parse(describeCrash(step, 'It called process.exit.'))).toEqual({
    ...{ id: 1, fence: 2, outcome: 'failed', crashed: true },
    error: { slug: 'handler_crashed', message: 'It called process.exit.' },
  })
  expect(JSON.parse(describeLoss(step))).toEqual({
    ...{ id: 1, fence: 2, outcome: 'lost' },
    error: { slug: 'worker_lost', message: expect.any(String) },
  })
})
