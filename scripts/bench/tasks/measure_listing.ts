import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import type { LoadRequest, LoadResult } from '../load.ts'
import { ratio } from '../ratio.ts'
import { atMost, type Bar, type Figure, median, type Section, say } from '../report.ts'
import type { TasksStage, User } from './stage.ts'

/** Lists of one turn. */
const times = 1000

/** Measures a page of 20 of one user's tasks among many, with fresh statistics and with those of a small table. */
export async function measureListing(stage: TasksStage, tasks: number): Promise<Section> {
  const admin = await stage.open('listing')
  await admin.query(await readFile(join(import.meta.dirname, 'listing.sql'), 'utf8'))
  const users = await stage.addUsers(admin, stage.connections)
  const [user] = users
  if (!user) throw new Error('A list needs a user')
  await fill(admin, users, tasks)
  const count = tasks.toLocaleString('en')
  const sections: { bars: Bar[]; figures: Figure[] }[] = []
  for (const statistics of ['stale', 'fresh'] as const) {
    if (statistics === 'fresh') await admin.query('vacuum analyze public.tasks')
    say(`Listing: rounds with ${statistics} statistics …`)
    await requireIndex(admin, user)
    const rounds = await measureLoops(admin, user, stage.rounds * 3)
    const of = (key: keyof (typeof rounds)[number]) => median(rounds.map((round) => round[key]))
    sections.push({
      bars: [
        atMost(
          `a page of one user’s list among ${count} tasks, ${statistics} statistics: against the scan without RLS`,
          median(rounds.map(({ ownPage, page }) => ownPage / page)),
          1.2,
        ),
      ],
      figures: (
        [
          ['a page as JSON', 'ownPage', 'µs', 'under RLS'],
          ['a page as JSON', 'page', 'µs', 'without RLS'],
          ['the rows of a page', 'ownScan', 'µs', 'under RLS'],
          ['the rows of a page', 'scan', 'µs', 'without RLS'],
          ['a page', 'call', 'µs', 'by list_tasks'],
        ] as const
      ).map(([what, key, unit, how]) => ({ name: `${what}, ${statistics} statistics: ${how}`, value: of(key), unit })),
    })
  }
  const requests = await measureRequests(stage, users)
  return {
    bars: sections.flatMap(({ bars }) => bars),
    figures: [...sections.flatMap(({ figures }) => figures), ...requests],
  }
}

/** Inserts the tasks of many users, a hundred for each. The statistics are those of the first thousand tasks. */
async function fill(admin: pg.Client, users: User[], tasks: number): Promise<void> {
  say(`Listing: inserting ${tasks.toLocaleString('en')} tasks …`)
  const others = Math.max(0, Math.round(tasks / 100) - users.length)
  const ids = [...users.map(({ id }) => id), ...Array.from({ length: others }, () => crypto.randomUUID())]
  await admin.query('alter table public.tasks set (autovacuum_enabled = false)')
  await admin.query('set session_replication_role = replica')
  const insert = (from: number, to: number, of: string[]) =>
    admin.query('select public.bench_insert_tasks($1, $2, $3)', [from, to, of])
  await insert(1, 1000, ids.slice(0, 5))
  await admin.query('analyze public.tasks')
  for (let n = 1001; n <= tasks; n += 50_000) await insert(n, Math.min(tasks, n + 49_999), ids)
  await admin.query('reset session_replication_role')
}

/** Returns the microseconds of a page and of its rows, in turns: under RLS, without RLS, and of list_tasks. */
async function measureLoops(admin: pg.Client, user: User, rounds: number) {
  const run = async (query: string, values: unknown[]) => {
    const from = performance.now()
    await admin.query(query, [times, ...values])
    return ((performance.now() - from) * 1000) / times
  }
  const results: Record<'ownPage' | 'ownScan' | 'page' | 'scan' | 'call', number>[] = []
  for (let round = -1; round < rounds; round++) {
    await becomeUser(admin, user)
    const ownPage = await run('select public.bench_page_own($1)', [])
    const ownScan = await run('select public.bench_scan_own($1)', [])
    const call = await run('select public.bench_call_list_tasks($1)', [])
    await admin.query('reset role')
    const page = await run('select public.bench_page_without_rls($1, $2)', [user.id])
    const scan = await run('select public.bench_scan_without_rls($1, $2)', [user.id])
    // The first round fills caches.
    if (round >= 0) results.push({ ownPage, ownScan, page, scan, call })
  }
  return results
}

/** Requires that the list under RLS reads the index. */
async function requireIndex(admin: pg.Client, user: User): Promise<void> {
  await becomeUser(admin, user)
  const { rows } = await admin.query<{ 'QUERY PLAN': string }>(
    '-- Clients may not explain.\nexplain select id, mandate, status from public.tasks order by created_at desc, id desc limit 20',
  )
  await admin.query('reset role')
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
  if (!/Index Scan using idx_tasks_user_created/.test(plan)) throw new Error(`The list reads no index:\n${plan}`)
}

async function becomeUser(admin: pg.Client, { claims }: User): Promise<void> {
  await admin.query(`select set_config('request.jwt.claims', $1, false)`, [claims])
  await admin.query('set role authenticated')
}

/** Measures the same page by HTTP: of each user, of list_tasks, and of service_role, which RLS does not concern. */
async function measureRequests(stage: TasksStage, users: User[]): Promise<Figure[]> {
  const { generator, rounds, seconds, connections, serviceHeaders } = stage
  say('Listing: by HTTP …')
  const url = await stage.serve('listing')
  const page = 'select=id,mandate,status,tick,result,created_at&order=created_at.desc,id.desc&limit=20'
  const get = (one: (user: User) => { path: string; headers: Record<string, string> }) => ({
    url,
    connections,
    requests: users.map((user): LoadRequest => ({ method: 'GET', ...one(user) })),
  })
  const subjects = {
    'GET /tasks of a user': get(({ headers }) => ({ path: `/tasks?${page}`, headers })),
    'list_tasks by HTTP': get(({ headers }) => ({ path: '/rpc/list_tasks', headers })),
    'GET /tasks of service_role, one user’s': get(({ id }) => ({
      path: `/tasks?${page}&user_id=eq.${id}`,
      headers: serviceHeaders,
    })),
  }
  const results = new Map<string, LoadResult[]>(Object.keys(subjects).map((name) => [name, []]))
  for (const subject of Object.values(subjects)) await generator.run({ ...subject, seconds: 0.5 })
  for (let round = 0; round < rounds; round++) {
    for (const [name, subject] of Object.entries(subjects)) {
      results.get(name)?.push(await generator.run({ ...subject, seconds: seconds / 2 }))
    }
  }
  const [own = [], , service = []] = [...results.values()]
  return [
    ...[...results].map(([name, of]) => ({
      name: `${name}: p50`,
      value: median(of.map(({ p50 }) => p50)),
      unit: 'ms',
    })),
    { name: 'GET /tasks by HTTP: p50 of a user, against service_role', value: ratio(own, service, 'p50'), unit: '×' },
  ]
}
