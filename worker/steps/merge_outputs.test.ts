import { expect, test } from 'vitest'
import { mergeOutputs } from './merge_outputs.ts'

test('puts the outputs that a step collects inside its own output', () => {
  const outputs = mergeOutputs([
    [['a'], { own: 1 }],
    [['a', 'child'], { deep: true }],
    [['a', 'child', 'grandchild'], 2],
    [['b'], null],
  ])
  expect(outputs).toEqual({ a: { own: 1, child: { deep: true, grandchild: 2 } }, b: null })
})

test.each([[5], ['text'], [null], [[1, 2]]])('replaces an output that cannot hold children: %j', (own) => {
  expect(
    mergeOutputs([
      [['a'], own],
      [['a', 'child'], 1],
    ]),
  ).toEqual({ a: { child: 1 } })
})

test('changes only its own object, whatever the keys are', () => {
  const outputs = mergeOutputs([
    [['__proto__'], 5],
    [['__proto__', 'polluted'], { a: 1 }],
    [['a'], {}],
    [['a', '__proto__', 'polluted'], 1],
    [['constructor', 'prototype', 'polluted'], 1],
  ])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(Object.keys(outputs)).toEqual(['__proto__', 'a', 'constructor'])
  expect(JSON.stringify(outputs['a'])).toBe('{"__proto__":{"polluted":1}}')
})
