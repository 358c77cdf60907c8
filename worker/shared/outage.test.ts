import pg from 'pg'
import { expect, test } from 'vitest'
import { DatabaseAway } from './connection_gate.ts'
import { isOutage, patiently } from './outage.ts'

/** An error of Db.call. */
function failed(cause: unknown): Error {
  return new Error('worker.read_outputs failed', { cause })
}
function refused(code: string): Error {
  return failed(Object.assign(new pg.DatabaseError('no', 1, 'error'), { code }))
}

test.each(['08006', '25006', '28P01', '40P01', '53300', '55P03', '57P01', '58030'])('%s is an outage', (code) => {
  expect(isOutage(refused(code))).toBe(true)
})

test.each(['PT409', '42501', '22P02', 'XX000'])('%s is not an outage', (code) => {
  expect(isOutage(refused(code))).toBe(false)
})

test('a connection that breaks, does not answer, or cannot be made is an outage', () => {
  expect(isOutage(failed(new Error('Connection terminated unexpectedly')))).toBe(true)
  expect(isOutage(failed(new Error('Query read timeout')))).toBe(true)
  expect(isOutage(failed(new DatabaseAway(refused('XX000').cause)))).toBe(true)
})

test('an error of the caller is not an outage', () => {
  expect(isOutage(new Error('"ping" is not schema.function'))).toBe(false)
})

test('a call is repeated until the outage is over', async () => {
  let calls = 0
  const result = await patiently(new AbortController().signal, async () => {
    calls += 1
    if (calls < 4) throw refused('57P01')
    return calls
  })
  expect(result).toBe(4)
})

test('a refusal is not repeated', async () => {
  let calls = 0
  const call = async () => {
    calls += 1
    throw refused('PT409')
  }
  await expect(patiently(new AbortController().signal, call)).rejects.toThrow('worker.read_outputs failed')
  expect(calls).toBe(1)
})

test('an aborted call ends with the reason of its signal', async () => {
  const abort = new AbortController()
  const call = patiently(abort.signal, async () => {
    throw refused('57P01')
  })
  setTimeout(() => abort.abort(new Error('stopped')), 120)
  await expect(call).rejects.toThrow('stopped')
})
