import { expect, test } from 'vitest'
import { compareObjects } from './objects.ts'

const created = (object: string, line = 1) => ({ object, path: 'a.sql', line })

test('the same objects are no problem, overloads and the loop over the queue included', () => {
  const catalog = ['function app.a', 'function app.a', 'policy all_worker on graphile_worker._private_jobs']
  expect(compareObjects(catalog, [created('function app.a'), created('function app.a', 9)])).toEqual([])
})

test('names objects without a file, files without an object, and duplicates', () => {
  expect(
    compareObjects(
      ['function app.a', 'trigger b on c.d', 'trigger b on c.d'],
      [created('trigger b on c.d'), created('policy e on c.d', 7)],
    ),
  ).toEqual([
    'function app.a is in the catalog, and no file creates it',
    'policy e on c.d is not in the catalog, but a.sql:7 should create it',
    'trigger b on c.d is 2 times in the catalog and 1 times in the files: a.sql:1',
  ])
})
