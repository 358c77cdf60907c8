import { sampleDrama } from '../bench/dramas/sample_drama.ts'
import { flowOf } from './public_flows.ts'
import { isAccepted, judge, shareFlow, type Target, type Verdict } from './target.ts'

/** Shares 12 MB without an account where 4 MB may be live. */
export async function attackWithAnonymousBytes(target: Target): Promise<Verdict> {
  const text = 'x'.repeat(1_000_000)
  const { rows } = await target.db.query(
    'select sum(octet_length(package::text))::float8 as live from app.share_packages',
  )
  const live = Math.ceil(rows[0].live ?? 0)
  const figure = await target.withSettings({ anonymous_bytes_max: live + 4_000_000 }, async () => {
    let accepted = 0
    for (let share = 0; share < 12; share++) {
      const answer = await shareFlow(target, { address: `203.0.113.${90 + share}` }, flowOf(text))
      accepted += Number(isAccepted(answer, 'store_full'))
    }
    return accepted
  })
  return judge({
    name: 'anonymous shares of 12 MB where 4 MB may be live: MB stored',
    figure,
    unit: 'MB',
    bound: 4,
    before: { figure: 12, on: '2026-11-27' },
  })
}

/** Saves dramas as a user whose plan stores 400 KB. */
export async function attackWithSavedBytes(target: Target): Promise<Verdict> {
  const { token } = await target.signUp()
  let figure = 0
  await withPlan(target, { bytes_stored: 400_000 }, async () => {
    for (let number = 0; number < 12; number++) {
      const drama = sampleDrama(number)
      const answer = await target.ask('/rpc/save_drama_complete', { token, body: { drama } })
      if (isAccepted(answer, 'storage_used_up')) figure += JSON.stringify(drama).length / 1000
    }
  })
  return judge({
    name: 'saved dramas of a user whose plan stores 400 KB: KB stored',
    figure,
    unit: 'KB',
    bound: 400,
    before: { figure: 1300, on: '2026-11-27' },
  })
}

/** Changes columns of plan free while `work` runs. */
async function withPlan(target: Target, values: Record<string, number>, work: () => Promise<void>): Promise<void> {
  const { rows } = await target.db.query("select to_jsonb(p) as before from public.plans as p where p.id = 'free'")
  const change = async (to: Record<string, number>) => {
    for (const name of Object.keys(values).filter((one) => one in rows[0].before)) {
      await target.db.query(`update public.plans set ${name} = $1 where id = 'free'`, [to[name]])
    }
  }
  await change(values)
  try {
    await work()
  } finally {
    await change(rows[0].before)
  }
}
