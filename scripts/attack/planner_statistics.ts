import { isAccepted, judge, type Target, type Verdict } from './target.ts'

/** Guesses the name of hidden flows by the planner's estimates. A right guess and a wrong one must get the same answer. */
export async function attackByPlannerStatistics(target: Target): Promise<Verdict> {
  const secret = 'Project Falcon acquisition 2027'
  const { db } = target
  await db.query(
    `insert into public.flows (id, name, nodes, edges)
     select gen_random_uuid(), case when n <= 100 then $1 else 'Flow ' || n end, '[]', '[]'
     from generate_series(1, 400) as n`,
    [secret],
  )
  await db.query('analyze public.flows')
  const count = async (kind: string, name: string) => {
    const filter = `/flows?select=id&limit=1&name=eq.${encodeURIComponent(name)}`
    const answer = await target.ask(filter, {
      address: '203.0.113.30',
      headers: { prefer: `count=${kind}` },
    })
    return isAccepted(answer, 'count_not_exact') ? Number(answer.headers.get('content-range')?.split('/')[1]) : 0
  }
  const told = await Promise.all(
    ['planned', 'estimated'].map(async (kind) =>
      Math.abs((await count(kind, secret)) - (await count(kind, 'Another name'))),
    ),
  )
  await db.query('delete from public.flows where name = $1', [secret])
  return judge({
    name: 'count=planned and count=estimated: hidden rows that a right guess tells of',
    figure: Math.max(...told),
    unit: 'rows',
    bound: 0,
    before: { figure: 49, on: '2026-11-27' },
  })
}
