import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createDatabase } from '../../scripts/testing/database.ts'
import { createDb } from './db.ts'
import { logWarnings } from './log_warnings.ts'

test('worker and sidecar log each setting that is unsafe for a deployment, until it is set', async () => {
  const database = await createDatabase()
  try {
    const lines: string[] = []
    const logger = pino({}, { write: (line) => void lines.push(line) })
    const db = await database.connect()
    const doors = {
      worker: createDb(database.openPool()),
      sidecar: createDb(database.openPool({ connectionString: database.url('sidecar') })),
    }
    await logWarnings(doors.worker, 'worker.list_warnings', logger)
    await logWarnings(doors.sidecar, 'sidecar.list_warnings', logger)
    expect(lines.map((line) => JSON.parse(line))).toMatchObject(
      Array(2).fill({ level: 40, name: 'client_address_unknown', msg: 'Database has an unsafe setting' }),
    )
    await db.query("update app.settings set client_address_header = 'x-real-ip', requests_at_once = 0")
    lines.length = 0
    await logWarnings(doors.worker, 'worker.list_warnings', logger)
    expect(lines.map((line) => JSON.parse(line).name)).toEqual(['requests_unlimited'])
  } finally {
    await database.drop()
  }
})
