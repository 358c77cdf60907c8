import { expect, test } from 'vitest'
import { chooseHandlers } from './choose_handlers.ts'

const handlers = { draw: 1, write: 2, file: 3 }
const left = { types: ['file'], need: 'STORE_*' }

test('chooses the named types without the excluded ones', () => {
  expect(chooseHandlers(handlers, {})).toEqual(handlers)
  expect(chooseHandlers(handlers, { WORKER_TYPES: ['draw', 'file'], WORKER_EXCLUDED_TYPES: ['file'] })).toEqual({
    draw: 1,
  })
})

test('leaves out the types that this process cannot run, unless WORKER_TYPES names them', () => {
  expect(chooseHandlers(handlers, {}, left)).toEqual({ draw: 1, write: 2 })
  expect(() => chooseHandlers(handlers, { WORKER_TYPES: ['draw', 'file'] }, left)).toThrow(
    'WORKER_TYPES names file. Set STORE_* for these types.',
  )
})

test('refuses types that no handler has', () => {
  expect(() => chooseHandlers(handlers, { WORKER_EXCLUDED_TYPES: ['paint'] })).toThrow(
    'WORKER_EXCLUDED_TYPES names unknown job types: paint. Use some of: draw, write, file.',
  )
})
