import { expect, test } from 'vitest'
import { compareHandlers } from './handlers.ts'

test('accepts a handler of the same version for each job type', () => {
  expect(compareHandlers({ a: 1, b: 3 }, { b: 3, a: 1 }).problems).toEqual([])
})

test('names job types without a handler, and handlers without a job type', () => {
  expect(compareHandlers({ count_words: 1 }, { count_word: 1 }).problems).toEqual([
    'Job type count_words has no handler: its steps stay queued.',
    'Handler count_word has no job type: no step can call it.',
  ])
})

test.each([
  [2, 1],
  [1, 2],
])('names a job type of version %i with a handler of version %i', (type, handler) => {
  const { problems, remedy } = compareHandlers({ count_words: type, same: 1 }, { count_words: handler, same: 1 })
  expect(problems).toEqual([`Job type count_words has version ${type}, and its handler has version ${handler}.`])
  expect(remedy).toContain('a migration that updates job_types')
})
