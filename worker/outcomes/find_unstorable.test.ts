import { expect, test } from 'vitest'
import { findUnstorable, findUnstorableText } from './find_unstorable.ts'

class Point {
  x = 1
}
class Secret {
  readonly #key = 1
  has = (key: number) => key === this.#key
}
class Private {
  readonly #key = 1
  has(key: number) {
    return key === this.#key
  }
}
class Amount {
  readonly #cents = 7
  toJSON() {
    return { cents: this.#cents }
  }
}
class Broken {
  toJSON() {
    return { seen: new Set() }
  }
}

test.each([
  ['null', null],
  ['texts, numbers and booleans', { a: 'x\u0000', b: -0, c: 1e308, d: false, e: [null, 1, 'x'] }],
  ['an optional property', { a: undefined }],
  ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ['an instance with fields', new Point()],
  ['an instance with toJSON', new Amount()],
  ['a Date and a URL', [new Date(0), new URL('https://example.com')]],
  ['a boxed text', new String('x')],
  ['the same object twice', Array(2).fill({ a: [] })],
  ['1,000 levels', nest(1000)],
])('finds nothing in %s', (_what, value) => {
  expect(findUnstorable(value, 'output')).toBeUndefined()
  // The proof: JSON keeps the value.
  if (_what !== 'an optional property') expect(JSON.parse(JSON.stringify([value]))).toHaveLength(1)
})

test.each([
  ['output is undefined. Return null instead.', undefined],
  ['output[1] is undefined. Return null instead.', [1, undefined]],
  // A hole of a sparse array.
  ['output[0] is undefined. Return null instead.', Array(2)],
  ['output.a[0].b is NaN. Return a finite number or null.', { a: [{ b: Number.NaN }] }],
  ['output is -Infinity. Return a finite number or null.', Number.NEGATIVE_INFINITY],
  ['output.a is a BigInt. Return a string instead.', { a: 1n }],
  ['output.run is a function. Return a value that JSON has, or leave it out.', { run() {} }],
  ['output.a is a symbol. Return a value that JSON has, or leave it out.', { a: Symbol('a') }],
  ['output.seen is a Map. Return an object instead, with Object.fromEntries.', { seen: new Map([[1, 2]]) }],
  ['output.seen is a Set. Return an array instead.', { seen: new Set() }],
  ['output.at is an invalid Date. Return a valid Date or null.', { at: new Date(Number.NaN) }],
  ['output.later is a Promise. Await it.', { later: Promise.resolve(1) }],
  ['output.why is an Error. Return its message instead.', { why: Object.assign(new Error('x'), { code: 'X' }) }],
  ['output is of class Buffer. Return the bytes as base64, or store them and return a URL.', Buffer.from('x')],
  ['output is of class Float64Array. Return the bytes as base64, or store them and return a URL.', new Float64Array(1)],
  ['output is of class ArrayBuffer. Return the bytes as base64, or store them and return a URL.', new ArrayBuffer(1)],
  ['output is of class RegExp and has no fields. Return a plain object instead.', /x/],
  ['output is of class Private and has no fields. Return a plain object instead.', new Private()],
  ['output.has is a function. Return a value that JSON has, or leave it out.', new Secret()],
  ['output is NaN. Return a finite number or null.', new Number(Number.NaN)],
  ['output.seen is a Set. Return an array instead.', new Broken()],
  ['output is nested more than 1000 levels deep. Return a flat list.', nest(1001), 'without the place'],
])('finds: %s', (expected, value, without?: string) => {
  const found = findUnstorable(value, 'output')
  expect(without === undefined ? found : found?.replace(/^output(\[0\])+…?/, 'output')).toBe(expected)
})

test('finds a circle where it begins', () => {
  const tree = { root: { children: [{ parent: null as unknown }] } }
  const [child] = tree.root.children
  if (child) child.parent = tree.root
  expect(findUnstorable(tree, 'state')).toBe('state.root contains itself. Return it without the circle.')
})

test('cuts long places', () => {
  const found = findUnstorable({ ['k'.repeat(500)]: { ['l'.repeat(500)]: undefined, m: 1n } }, 'output')
  expect(found).toBe(`output.${'k'.repeat(50)}.m is a BigInt. Return a string instead.`)
})

test.each([
  ['output.a[1] has a \\u0000 or half a surrogate pair. Remove it.', { a: ['x', 'a\u0000'] }],
  ['output.\ud83d has a \\u0000 or half a surrogate pair. Remove it.', { '\ud83d': 1 }],
])('finds texts that jsonb cannot hold: %s', (expected, value) => {
  expect(findUnstorable(value, 'output')).toBeUndefined()
  expect(findUnstorableText(value, 'output')).toBe(expected)
})

function nest(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
