import { expect, test } from 'vitest'
import { compareHandlers } from './handlers.ts'

test('accepts a handler for each job type', () => {
  expect(compareHandlers(['a', 'b'], ['b', 'a']).problems).toEqual([])
})

test('names job types without a handler, and handlers without a job type', () => {
  expect(compareHandlers(['count_words'], ['count_word']).problems).toEqual([
    'Job type count_words has no handler: its steps stay queued.',
    'Handler count_word has no job type: no step can call it.',
  ])
})
