import { expect, test } from 'vitest'
import { comparePairs } from './paired.ts'

const ms = (name: string, value: number) => ({ name, value, unit: 'ms' })

test('gives the median of the paired ratios and its quartiles', () => {
  const pairs = [10, 20, 30, 40, 50].map((value, index) => ({
    before: [ms('chain', value)],
    after: [ms('chain', value * (1 + index / 10))],
  }))
  expect(comparePairs(pairs)).toEqual([
    { name: 'chain', unit: 'ms', before: 30, after: 36, ratio: 1.2, lower: 1.1, upper: expect.closeTo(1.3) },
  ])
})

test('a rate that falls is a ratio above 1', () => {
  const pair = {
    before: [{ name: 'opens', value: 200, unit: '/s' }],
    after: [{ name: 'opens', value: 100, unit: '/s' }],
  }
  expect(comparePairs([pair])).toMatchObject([{ ratio: 2 }])
})

test('leaves out figures that one side lacks, and figures that are no time and no rate', () => {
  const pair = {
    before: [ms('gone', 1), { name: 'size', value: 1, unit: 'KB' }],
    after: [ms('new', 1), { name: 'size', value: 2, unit: 'KB' }],
  }
  expect(comparePairs([pair])).toEqual([])
})
