import { expect, test } from 'vitest'
import { createPlaces } from './places.ts'

test('a name has as many places as its limit, and gets them back', () => {
  const places = createPlaces()
  const leave = places.take('a', 2)
  expect(leave).toBeDefined()
  expect(places.take('a', 2)).toBeDefined()
  expect(places.take('a', 2)).toBeUndefined()
  expect(places.take('b', 2)).toBeDefined()
  leave?.()
  expect(places.take('a', 2)).toBeDefined()
  expect(places.take('a', 2)).toBeUndefined()
})
