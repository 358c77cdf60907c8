import type pg from 'pg'
import { prepareDatabase } from '../../testing/cluster.ts'
import { atMost, median, type Section, say } from '../report.ts'
import type { Stage } from '../stage.ts'

const statements = {
  update: 'update public.plain set credits = credits - 1 where id = $1',
  hold: `select app.place_hold($1, $2, 1, 'Bench.')`,
  capture: 'select app.capture_holds(array[$1::bigint])',
  release: 'select app.release_holds(array[$1::bigint])',
}

/**
 * Measures a hold, a capture and a release against an update of one row: prepared statements on one connection, in turns, so
 * that noise hits all of them. The row of the update has as many columns as a row of users.
 */
export async function measureHolds(
  stage: Stage,
  { rounds, calls }: { rounds: number; calls: number },
): Promise<Section> {
  await prepareDatabase(stage.cluster, 'holds')
  const client = await stage.connect('holds')
  const users = await addUsers(client, 100)
  const times: Record<keyof typeof statements, number[]> = { update: [], hold: [], capture: [], release: [] }
  const ratios: Record<'hold' | 'capture' | 'release', number[]> = { hold: [], capture: [], release: [] }
  let run = 1
  const call = async (name: keyof typeof statements, values: unknown[], into?: number[]) => {
    const from = performance.now()
    await client.query({ name, text: statements[name], values })
    into?.push((performance.now() - from) * 1000)
  }
  for (let round = 0; round <= rounds; round++) {
    // The first round warms up.
    if (round === 0) say('Holds: a warm-up, then rounds …')
    const these = { update: [], hold: [], capture: [], release: [] } as Record<keyof typeof statements, number[]>
    for (let n = 0; n < calls; n++) {
      const user = users[n % users.length] as string
      await call('update', [user], these.update)
      run += 1
      await call('hold', [user, run], these.hold)
      await call('update', [user], these.update)
      await call('capture', [run], these.capture)
      run += 1
      await call('hold', [user, run], these.hold)
      await call('update', [user], these.update)
      await call('release', [run], these.release)
    }
    if (round === 0) {
      await client.query('analyze')
      continue
    }
    for (const name of ['hold', 'capture', 'release'] as const) {
      ratios[name].push(median(these[name]) / median(these.update))
    }
    for (const name of ['update', 'hold', 'capture', 'release'] as const) times[name].push(median(these[name]))
  }
  return {
    bars: [
      atMost('a hold: p50 against an update of one row', median(ratios.hold), 3),
      atMost('a capture: p50 against an update of one row', median(ratios.capture), 3),
    ],
    figures: [
      { name: 'an update of one row, p50', value: median(times.update), unit: 'µs' },
      { name: 'a hold, p50', value: median(times.hold), unit: 'µs' },
      { name: 'a capture, p50', value: median(times.capture), unit: 'µs' },
      { name: 'a release, p50', value: median(times.release), unit: 'µs' },
      // A figure without a bar: users wait for holds and captures, and not for releases.
      { name: 'a release: p50 against an update of one row', value: median(ratios.release), unit: '×' },
    ],
  }
}

async function addUsers(client: pg.Client, count: number): Promise<string[]> {
  await client.query('update public.plans set credits_per_period = 0, low_credits_at = 2')
  await client.query(
    `insert into auth.users (id, email)
     select gen_random_uuid(), n || '@bench.test' from generate_series(1, $1::integer) as n`,
    [count],
  )
  await client.query(`select app.grant_credits(u.id, 1000000, 'pack', null, null, 'bench') from public.users as u`)
  await client.query('create table public.plain (like public.users including all) with (fillfactor = 80)')
  await client.query('insert into public.plain select * from public.users')
  const { rows } = await client.query('select id from public.users')
  return rows.map(({ id }) => id)
}
