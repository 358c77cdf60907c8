import { judge, type Target, type Verdict } from './target.ts'

/** Inserts many flows with a rate that is spent. A refusal must come before the work: it must not write to the disk. */
export async function attackWithRefusedWrites(target: Target): Promise<Verdict> {
  const address = '203.0.113.40'
  const body = `[${'{"name":"","nodes":[],"edges":[]},'.repeat(40_000).slice(0, -1)}]`
  const write = () => target.ask('/flows', { address, body, headers: { prefer: 'return=minimal' } })
  // Spends the rate, if the request is allowed at all.
  await write()
  await write()
  const { rows } = await target.db.query('select pg_current_wal_lsn() as start')
  const answers = [await write(), await write(), await write()]
  if (answers.some(({ status }) => status < 300)) throw new Error('A write was not refused.')
  const after = await target.db.query('select pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::float8 / 1e6 as figure', [
    rows[0].start,
  ])
  return judge({
    name: 'three refused inserts of 40,000 flows: log that Postgres writes ahead',
    figure: after.rows[0].figure,
    unit: 'MB',
    bound: 3,
    before: { figure: 35.6, on: '2026-11-27' },
  })
}
