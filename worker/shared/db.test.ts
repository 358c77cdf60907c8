import { expect, test, vi } from 'vitest'
import { createDb, createPing } from './db.ts'

const query = vi.fn(async (_config: { name: string; text: string; values: unknown[] }) => ({ rows: [{ n: 1 }] }))
const db = createDb({ query: query as never })

test('calls one function with named arguments and returns its rows', async () => {
  expect(await db.call('worker.claim_assets', { limit: 100, kinds: ['a'] })).toEqual([{ n: 1 }])
  expect(query).toHaveBeenLastCalledWith({
    name: expect.stringMatching(/^worker\.claim_assets [0-9a-f]{12}$/),
    text: 'select * from worker.claim_assets("limit" => $1, "kinds" => $2)',
    values: [100, ['a']],
  })
})

test.each(['ping', 'worker.ping()', 'worker.Ping', 'worker.ping; select 1', '"worker".ping'])(
  'refuses %s as the name of a function',
  async (name) => {
    await expect(db.call(name)).rejects.toThrow('is not schema.function')
  },
)

test('refuses an argument that is not a plain name', async () => {
  await expect(db.call('worker.ping', { 'a" => 1, "b': 2 })).rejects.toThrow('is not the name of an argument')
})

test('a failure names the function and keeps the cause', async () => {
  const cause = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
  query.mockRejectedValueOnce(cause)
  await expect(db.call('worker.ping')).rejects.toMatchObject({ message: 'worker.ping failed: ECONNREFUSED', cause })
})

test.each([
  ['25006', 'The database is read-only.'],
  ['28P01', 'The database refuses the login.'],
  ['57P01', 'The database does not answer.'],
])('a ping that fails with %s says: %s', async (code, reason) => {
  query.mockRejectedValueOnce(Object.assign(new Error('no'), { code }))
  const ping = createPing(db, 'worker.ping')
  expect(await ping()).toBe(reason)
  expect(await ping()).toBeUndefined()
})
