import { expect, test } from 'vitest'
import { hashOf } from '../database/freeze.ts'
import { findEdits } from './freeze.ts'

const file = (name: string, text: string) => ({ path: `db/migrations/${name}.sql`, text })
const line = (name: string, text: string) => `${hashOf(text)} ${name}`

test('accepts a migration with its own hash, with either kind of line ending', () => {
  expect(findEdits([file('a', 'select 1;\r\nselect 2;\r\n')], [line('a', 'select 1;\nselect 2;\n')])).toEqual([])
})

test('names an edited, a new and a missing migration', () => {
  expect(
    findEdits([file('a', 'select 2;'), file('b', 'select 1;')], [line('a', 'select 1;'), line('c', 'select 1;')]),
  ).toEqual([
    'db/migrations/a.sql was edited after it was written down in db/migration_hashes.txt',
    'db/migrations/b.sql has no line in db/migration_hashes.txt',
    'db/migrations/c.sql is missing: db/migration_hashes.txt has its hash',
  ])
})

test('two hashes of one migration, which a merge may leave, are named', () => {
  expect(findEdits([file('a', 'select 1;')], [line('a', 'select 2;'), line('a', 'select 1;')])).toEqual([
    'db/migration_hashes.txt has two hashes of a: a merge kept both sides',
  ])
})
