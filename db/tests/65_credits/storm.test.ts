import { expect, test } from 'vitest'
import { raiseStorm } from '../../../scripts/credits/storm.ts'
import { createDatabase } from '../../../scripts/testing/database.ts'

test('random grants, holds, charges, expiries, refunds, debts, deletions and crashes always add up', async () => {
  const database = await createDatabase()
  try {
    const seed = Date.now() % 1_000_000
    const weather = await raiseStorm(() => database.connect(), { seconds: 3, sessions: 6, users: 12, seed }).catch(
      (error) => {
        throw new Error(`Seed ${seed}: ${(error as Error).message}`, { cause: error })
      },
    )
    expect(weather.checks).toBeGreaterThan(1)
    expect(weather.done['complete']).toBeGreaterThan(0)
  } finally {
    await database.drop()
  }
})
