import type pg from 'pg'
import { prepareDatabase } from '../../testing/cluster.ts'
import { atMost, median, type Section, say } from '../report.ts'
import type { Stage } from '../stage.ts'

const entriesPerUser = 20

/** Measures the nightly check of the ledger at two sizes, in turns: its time grows with the number of entries. */
export async function measureCheck(
  stage: Stage,
  { rounds, entries }: { rounds: number; entries: number },
): Promise<Section> {
  const small = await fill(stage, 'small', entries / 10)
  const large = await fill(stage, 'large', entries)
  say('The nightly check: a warm-up, then rounds …')
  const perEntry = async (client: pg.Client, count: number) => {
    const from = performance.now()
    await client.query('select app.check_credits()')
    return ((performance.now() - from) * 1000) / count
  }
  const times: { small: number; large: number }[] = []
  for (let round = 0; round <= rounds; round++) {
    // The small ledger ten times, so that both take the same time.
    const smalls: number[] = []
    for (let n = 0; n < 5; n++) smalls.push(await perEntry(small, entries / 10))
    const one = { small: median(smalls), large: await perEntry(large, entries) }
    if (round > 0) times.push(one)
  }
  const ratio = median(times.map((one) => one.large / one.small))
  return {
    bars: [atMost(`the nightly check: time per entry, ${entries} entries against a tenth`, ratio, 1.3)],
    figures: [
      {
        name: `the nightly check of ${entries} entries`,
        value: (median(times.map((one) => one.large)) * entries) / 1e6,
        unit: 's',
      },
      {
        name: 'the nightly check, per entry of the large ledger',
        value: median(times.map((one) => one.large)),
        unit: 'µs',
      },
      {
        name: 'the nightly check, per entry of the small ledger',
        value: median(times.map((one) => one.small)),
        unit: 'µs',
      },
    ],
  }
}

/** Creates a database with a ledger: a grant and charges of holds for each user, written as app.apply_credits writes them. */
async function fill(stage: Stage, name: string, entries: number): Promise<pg.Client> {
  say(`A ledger of ${entries} entries …`)
  await prepareDatabase(stage.cluster, name)
  const client = await stage.connect(name)
  const users = Math.round(entries / entriesPerUser)
  await client.query('update public.plans set credits_per_period = 0')
  await client.query(
    `insert into auth.users (id, email)
     select gen_random_uuid(), n || '@bench.test' from generate_series(1, $1::integer) as n`,
    [users],
  )
  await client.query(`
    begin;
    set local plinth.changes_credits = 'on';
    insert into public.credit_grants (user_id, source, amount, remaining)
    select u.id, 'pack', 1000, ${1000 - (entriesPerUser - 1)} from public.users as u;
    insert into public.credit_entries (user_id, kind, amount, grant_id)
    select g.user_id, 'grant', 1000, g.id from public.credit_grants as g;
    insert into public.credit_entries (user_id, kind, amount, grant_id, hold_id, run_id, charged, reason)
    select g.user_id, 'charge', -1, g.id, gen_random_uuid(), n, 1, 'Bench.'
    from generate_series(1, ${entriesPerUser - 1}) as n
    cross join public.credit_grants as g;
    update public.users as u set credits = ${1000 - (entriesPerUser - 1)};
    commit;
  `)
  await client.query('vacuum analyze')
  const { rows } = await client.query('select count(*)::integer as faults from ops.credit_faults')
  if (rows[0].faults !== 0) throw new Error('The ledger of the benchmark does not add up.')
  return client
}
