import { expect, test } from 'vitest'
import { unifiedDiff } from './diff.ts'

const names = { before: 'a', after: 'b' }

test('the same texts have no difference', () => {
  expect(unifiedDiff('x\ny', 'x\ny', names)).toBe('')
})

test('a change stands under its heading, between three lines of context', () => {
  const before = ['table a', '  1', '  2', '  3', '  4', '  5', '  6', '  7', '  8'].join('\n')
  const after = before.replace('  5', '  five')
  expect(unifiedDiff(before, after, names).split('\n')).toEqual([
    '--- a',
    '+++ b',
    '@@ -3,7 +3,7 @@ table a',
    '   2',
    '   3',
    '   4',
    '-  5',
    '+  five',
    '   6',
    '   7',
    '   8',
  ])
})

test('changes that are far apart are hunks of their own', () => {
  const before = Array.from({ length: 30 }, (_, line) => `  ${line}`)
  const after = ['first', ...before, 'last']
  const hunks = unifiedDiff(before.join('\n'), after.join('\n'), names).match(/^@@.*$/gm)
  expect(hunks).toEqual(['@@ -1,3 +1,4 @@', '@@ -28,3 +29,4 @@'])
})

test('an empty text differs in every line', () => {
  expect(unifiedDiff('', 'x', names)).toBe('--- a\n+++ b\n@@ -1,1 +1,1 @@\n-\n+x')
})
