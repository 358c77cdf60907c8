import { isAccepted, judge, shareFlow, type Target, type Verdict } from './target.ts'

/** Inserts many flows when the rate is spent. A refusal must come before the work: it must not write to the disk. */
export async function attackWithRefusedWrites(target: Target): Promise<Verdict> {
  const address = '203.0.113.40'
  const body = `[${'{"name":"","nodes":[],"edges":[]},'.repeat(20_000).slice(0, -1)}]`
  const figure = await target.withSettings({ share_writes_per_minute: 1 }, async () => {
    if (!isAccepted(await shareFlow(target, { address }))) throw new Error('The rate is spent already.')
    const { rows } = await target.db.query('select pg_current_wal_lsn() as start')
    for (let write = 0; write < 3; write++) {
      const answer = await target.ask('/flows', { address, body })
      // 57014: the work was done until the statement timeout.
      if (answer.text.includes('57014')) continue
      if (isAccepted(answer, 'rate_limited', 'too_many_rows')) throw new Error('A write was not refused.')
    }
    const { rows: after } = await target.db.query(
      'select pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::float8 / 1e6 as megabytes',
      [rows[0].start],
    )
    return after[0].megabytes
  })
  return judge({
    name: 'three refused inserts of 20,000 flows: write-ahead log of Postgres',
    figure,
    unit: 'MB',
    bound: 3,
    before: { figure: 15.6, on: '2026-11-27' },
  })
}
