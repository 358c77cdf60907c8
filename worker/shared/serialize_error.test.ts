import { describe, expect, test } from 'vitest'
import { serializeError } from './serialize_error.ts'

/** An error with this many causes, one below the other. */
function nested(causes: number): Error {
  let error = new Error('cause 1')
  for (let n = 2; n <= causes; n++) error = new Error(`cause ${n}`, { cause: error })
  return new Error('top', { cause: error })
}

test('keeps type, message, code, slug and stack of an error and of its causes, and no other property', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), {
    code: 'ECONNREFUSED',
    detail: 'row',
  })
  const failed = Object.assign(new TypeError('fetch failed', { cause: refused }), { slug: 'provider_unreachable' })
  expect(serializeError(failed)).toEqual({
    type: 'TypeError',
    message: 'fetch failed',
    slug: 'provider_unreachable',
    stack: failed.stack,
    cause: { type: 'Error', message: refused.message, code: 'ECONNREFUSED', stack: refused.stack },
  })
})

test('keeps the errors of an AggregateError', () => {
  const error = new AggregateError([new Error('::1'), 'text', new Error('127.0.0.1', { cause: 'gone' })], 'all failed')
  expect(serializeError(error)).toMatchObject({
    message: 'all failed',
    errors: [
      { message: '::1' },
      { type: 'string', message: 'text' },
      { message: '127.0.0.1', cause: { message: 'gone' } },
    ],
  })
})

test('logs each error of a circle once', () => {
  const first = new Error('first')
  const second = new Error('second', { cause: first })
  first.cause = second
  const logged = serializeError(first)
  expect(logged).toMatchObject({ message: 'first', cause: { message: 'second' } })
  expect(logged.cause).not.toHaveProperty('cause')
  expect(logged).not.toHaveProperty('left_out')
})

test.each([
  [5, undefined],
  [6, 1],
  [20_000, 19_995],
])('counts the omitted causes: %d causes', (causes, left_out) => {
  const logged = serializeError(nested(causes))
  expect(logged.left_out).toBe(left_out)
  expect(logged.cause?.cause?.cause?.cause?.cause).toMatchObject({ message: `cause ${causes - 4}` })
  expect(logged.cause?.cause?.cause?.cause?.cause).not.toHaveProperty('cause')
})

test('stops counting at 25,000, so that an endless chain or list of errors ends', () => {
  class Endless extends Error {
    override get cause(): unknown {
      return new Endless('again')
    }
  }
  Endless.stackTraceLimit = 0
  expect(serializeError(new Endless('again')).left_out).toBe(24_994)
  Endless.stackTraceLimit = 10
  const many = new AggregateError(Array.from({ length: 100_000 }, (_one, index) => index))
  expect(serializeError(many).left_out).toBe(24_994)
})

describe('has at most 32 KiB', () => {
  const long = 'x'.repeat(50_000_000)
  const wide = new AggregateError([1, 2, 3, 4, 5, 6, 7].map(() => new Error('\u0001'.repeat(1_000_000))))
  test.each([
    ['a message of 50 MB', new Error(long)],
    ['a text of 50 MB', long],
    ['many long errors', wide],
    ['a long name, code and slug', Object.assign(new Error('x'), { name: long, code: long, slug: long })],
  ])('of %s', (_what, error) => {
    expect(Buffer.byteLength(JSON.stringify(serializeError(error)))).toBeLessThan(32_768)
  })

  test('and keeps the beginning of a long message, its length, and the place in the code', () => {
    const logged = serializeError(new Error(`begin ${long}`))
    expect(logged.message).toMatch(/^begin x{1990,}… \(50000006 characters\)$/)
    expect(logged.stack).toContain('serialize_error.test.ts')
  })
})

const revoked = Proxy.revocable({}, {})
revoked.revoke()
const traps = new Proxy(new Error('x'), {
  get: () => {
    throw new Error('get')
  },
  getPrototypeOf: () => {
    throw new Error('getPrototypeOf')
  },
})
const getters = Object.defineProperties(new Error('x'), {
  message: { get: () => expect.unreachable() },
  cause: {
    get: () => {
      throw new Error('cause')
    },
  },
})
test.each([
  ['null', null, { type: 'object', message: 'null' }],
  ['undefined', undefined, { type: 'undefined', message: 'undefined' }],
  ['a symbol', Symbol('gone'), { type: 'symbol', message: 'Symbol(gone)' }],
  ['a bigint', 1n, { type: 'bigint', message: '1' }],
  ['an object', { a: 1 }, { type: 'object', message: '[object Object]' }],
  ['an object without a text', Object.create(null), { message: 'A value that cannot be converted to text.' }],
  ['an error of another realm', { name: 'TypeError', message: 'gone' }, { type: 'TypeError', message: 'gone' }],
  ['a proxy with traps', traps, { message: 'A value that cannot be converted to text.' }],
  ['a revoked proxy', revoked.proxy, { message: 'A value that cannot be converted to text.' }],
  ['an error whose getters throw', getters, { type: 'Error' }],
])('describes %s', (_what, thrown, expected) => {
  expect(serializeError(thrown)).toMatchObject(expected)
})
