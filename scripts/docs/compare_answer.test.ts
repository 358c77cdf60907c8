import { expect, test } from 'vitest'
import { compareAnswer } from './compare_answer.ts'

test.each([
  ['a text that starts as promised', 'http://…', 'http://host/1'],
  ['any value but null', { id: '…' }, { id: 7 }],
  ['further keys', { id: 1, '…': '…' }, { id: 1, name: 'x' }],
  ['further elements', [1, '…'], [1, 2, 3]],
  ['no further elements', [1, '…'], [1]],
  ['keys in another order', { a: 1, b: [null] }, { b: [null], a: 1 }],
])('accepts %s', (_name, promised, answer) => {
  expect(compareAnswer(promised, answer)).toEqual([])
})

test.each([
  ['another start of a text', 'http://…', 'ftp://host', '$: promised "http://…", got "ftp://host"'],
  ['null for any value', { id: '…' }, { id: null }, '$.id: promised "…", got null'],
  ['a missing key', { a: 1 }, {}, '$.a: missing in the answer'],
  ['a key that is not promised', { a: 1 }, { a: 1, b: 2 }, '$.b: not promised, got 2'],
  ['another number of elements', [1], [1, 2], '$: promised [1], got [1,2]'],
  ['an array for an object', { a: 1 }, [1], '$: promised {"a":1}, got [1]'],
  ['another value deep inside', { a: [{ b: 1 }] }, { a: [{ b: 2 }] }, '$.a[0].b: promised 1, got 2'],
])('refuses %s', (_name, promised, answer, difference) => {
  expect(compareAnswer(promised, answer)).toEqual([difference])
})
