import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { makePatient } from './patient_pool.ts'

/** A pool whose database is away until a test says otherwise. */
function open() {
  const client = {} as pg.PoolClient
  const state = { isAway: true, attempts: 0 }
  const pool = {
    async connect() {
      state.attempts += 1
      await turn()
      if (state.isAway) throw new Error('away')
      return client
    },
  }
  const leaving = new AbortController()
  const patient = makePatient(pool as pg.Pool, pino({ level: 'silent' }), leaving.signal)
  return { patient, state, leaving, client }
}

test('waits for a connection while the database is away', async () => {
  const { patient, state, client } = open()
  const connected = patient.connect()
  await expect.poll(() => state.attempts).toBeGreaterThan(1)
  state.isAway = false
  expect(await connected).toBe(client)
})

test('waits no longer when the worker leaves', async () => {
  const { patient, state, leaving } = open()
  const connected = patient.connect()
  await expect.poll(() => state.attempts).toBeGreaterThan(1)
  leaving.abort()
  await expect(connected).rejects.toThrow('away')
})
