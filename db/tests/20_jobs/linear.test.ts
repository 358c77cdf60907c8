import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { adminConfig } from '../../../scripts/local/postgres.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { completed, exchangeSteps } from '../../../scripts/testing/steps.ts'
import { requireInvariants } from './invariants.ts'

// The time of a call on a whole run grows with the run and not with its square, with any statistics. Seconds would depend
// on the machine, so the test counts the rows that the plan nodes of a call handle.
let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  await client.query("insert into job_types (name) values ('noop')")
  // Autovacuum would gather statistics while a test measures without them.
  await client.query(`
    do $$ declare t regclass; begin
      for t in select c.oid from pg_class as c where c.relkind = 'r' and c.relnamespace in ('app'::regnamespace, 'public'::regnamespace)
      loop execute format('alter table %s set (autovacuum_enabled = off)', t); end loop;
    end $$`)
})
afterAll(() => database.drop())

type Step = { key: string; type: string; depends_on?: string[]; steps?: Step[]; on_failure?: string; priority?: number }
type Shape = { spec: Step; children?: Step[]; fails?: boolean }

const noop = (key: string, more: Partial<Step> = {}): Step => ({ key, type: 'noop', ...more })
const group = (key: string, steps: Step[], more: Partial<Step> = {}): Step => ({ key, type: 'group', steps, ...more })
const many = (n: number, make: (n: number) => Step) => Array.from({ length: n }, (_one, i) => make(i))
const strand = (levels: number, key: string): Step =>
  levels === 0 ? noop(key) : group(key, [strand(levels - 1, 'below')])

/** Runs with about n steps, or n dependencies. */
const shapes: Record<string, (n: number) => Shape> = {
  'children that a step returned': (n) => ({ spec: noop('root'), children: many(n, (i) => noop(`c${i}`)) }),
  'a group in which one step fails': (n) => ({
    spec: group(
      'root',
      many(n, (i) => noop(`s${i}`)),
    ),
    fails: true,
  }),
  'a chain': (n) => ({
    spec: group(
      'root',
      many(n, (i) => noop(`s${i}`, i > 0 ? { depends_on: [`s${i - 1}`] } : {})),
    ),
  }),
  'a deep tree': (n) => ({
    spec: group(
      'root',
      many(n / 50, (i) => strand(49, `s${i}`)),
    ),
  }),
  'steps that all depend on all others': (n) => {
    const side = Math.round(2 * Math.sqrt(n))
    const first = many(side, (i) => noop(`a${i}`))
    return {
      spec: group('root', [
        ...first,
        ...many(side, (i) => noop(`b${i}`, { depends_on: first.map((step) => step.key) })),
      ]),
    }
  },
  'groups that are skipped': (n) => {
    const skipped = many(n / 2, (i) => group(`s${i}`, [noop('c')], { depends_on: ['first'] }))
    const first = noop('first', { on_failure: 'skip_dependents', priority: -1 })
    return { spec: group('root', [first, ...skipped, noop('last')]), fails: true }
  },
}

const tables = ['public.jobs', 'public.runs', 'app.job_queue', 'app.runs', 'app.run_changes', 'app.lanes']
/** The tables are empty, or full of rows whose transaction is open, or full. */
type Moment = 'empty' | 'open' | 'loaded'
const statistics: Record<string, (admin: pg.Client, moment: Moment) => Promise<unknown>> = {
  'no statistics': (admin) => admin.query('delete from pg_statistic where starelid = any ($1::regclass[])', [tables]),
  'statistics of empty tables': async (admin, moment) => moment === 'empty' && admin.query(`analyze ${tables}`),
  // Many pages, in which autovacuum saw no row: the planner then expects one row, however large the table is.
  'statistics of an open transaction': async (admin, moment) =>
    moment === 'open' && admin.query(`vacuum (analyze) ${tables}`),
  'fresh statistics': async (admin, moment) => moment === 'loaded' && admin.query(`analyze ${tables}`),
}

type Plan = { 'Actual Rows': number; 'Actual Loops': number; Plans?: Plan[] } & Record<string, unknown>

/** The rows that a plan node and the nodes below it produced, or read and dropped. */
function countRows(plan: Plan): number {
  const dropped = Object.entries(plan).filter(([name]) => name.startsWith('Rows Removed by'))
  const rows = dropped.reduce((sum, [, value]) => sum + Number(value), plan['Actual Rows'])
  return rows * plan['Actual Loops'] + (plan.Plans ?? []).reduce((sum, below) => sum + countRows(below), 0)
}

/** A superuser's session, which reports the plan of each statement in each function. */
async function watch(): Promise<{ client: pg.Client; rows: () => number; pages: () => number }> {
  const { port, secrets } = inject('cluster')
  const client = new pg.Client(adminConfig({ port, adminPassword: secrets.adminPassword }, database.name))
  await client.connect()
  await client.query(`
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off;
    set auto_explain.log_buffers = on;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice;
    set request.jwt.claims = '{"role": "service_role"}'`)
  let counted = 0
  let pages = 0
  client.on('notice', ({ message }) => {
    const [, plan] = message?.split('plan:\n') ?? []
    if (plan === undefined) return
    const top = JSON.parse(plan).Plan
    counted += countRows(top)
    pages += top['Shared Hit Blocks'] + top['Shared Read Blocks']
  })
  const rows = () => {
    const before = counted
    counted = 0
    pages = 0
    return before
  }
  return { client, rows, pages: () => pages }
}

/** Empties the tables, fills them in one transaction, and gathers statistics before, within and after it. */
async function load<T>(client: pg.Client, gather: (typeof statistics)[string], fill: () => Promise<T>): Promise<T> {
  await client.query(`truncate ${tables} cascade`)
  await gather(client, 'empty')
  await client.query('begin')
  const answer = await fill()
  await gatherWithin(gather)
  await client.query('commit')
  await gather(client, 'loaded')
  return answer
}

/** Gathers statistics in another session, while the transaction that fills the tables is open. */
async function gatherWithin(gather: (typeof statistics)[string]): Promise<void> {
  const { client } = await watch()
  try {
    await gather(client, 'open')
  } finally {
    await client.end()
  }
}

/** The rows that each call handled, on a run of n steps. */
async function measure(shape: Shape, gather: (typeof statistics)[string]): Promise<Record<string, number>> {
  const { client, rows } = await watch()
  const counts: Record<string, number> = {}
  const worker = crypto.randomUUID()
  try {
    const call = async (name: string, text: string, value: unknown) => {
      rows()
      const answer = await client.query(text, [value])
      counts[name] = rows()
      return answer.rows[0]
    }
    const id = await load(client, gather, async () => {
      const run = await call('submit_run', 'select app.submit_run($1, null, null) as id', JSON.stringify(shape.spec))
      if (shape.children || shape.fails) {
        await gatherWithin(gather)
        const [step] = (await exchangeSteps(client, worker, [], 1)).steps
        if (step === undefined) throw new Error('No step was ready.')
        const failed = { id: step.id, fence: step.fence, outcome: 'failed', is_permanent: true }
        rows()
        await exchangeSteps(client, worker, [shape.children ? completed(step, null, shape.children) : failed])
        counts['exchange_steps'] = rows()
      }
      return run.id
    })
    await call('job_tree', 'select app.job_tree($1)', id)
    await call('job_graph', 'select app.job_graph($1)', id)
    const { rows: runs } = await client.query('select finished_at from app.runs where id = $1', [id])
    if (runs[0].finished_at === null) await call('cancel_job', 'select app.cancel_job($1)', id)
    await call('retry_job', 'select app.retry_job($1)', id)
    await requireInvariants(client)
    await client.query('select app.cancel_job($1)', [id])
    await client.query("update app.runs set finished_at = now() - interval '1 year'")
    rows()
    await client.query('select app.delete_finished_runs()')
    counts['delete_finished_runs'] = rows()
    return counts
  } finally {
    await client.end()
  }
}

test.each(Object.keys(shapes))('%s', async (name) => {
  const shape = shapes[name] as (typeof shapes)[string]
  for (const [knowledge, gather] of Object.entries(statistics)) {
    const small = await measure(shape(200), gather)
    const large = await measure(shape(800), gather)
    for (const [call, count] of Object.entries(large)) {
      const growth = count / (small[call] as number)
      // Four times as many steps: about 4 if the work is linear, about 16 if it is quadratic.
      expect(growth, `${call} with ${knowledge}: ${small[call]} rows became ${count}`).toBeLessThan(8)
    }
  }
})

// A plan may read an index from end to end to find one row. The rows do not show this, but the pages do.
test.each(Object.keys(statistics))('a tree is drawn from a few pages for each node, with %s', async (knowledge) => {
  const { client, rows, pages } = await watch()
  try {
    const spec = group(
      'root',
      many(3000, (i) => noop(`s${i}`)),
    )
    const submitted = await load(client, statistics[knowledge] as (typeof statistics)[string], () =>
      client.query('select app.submit_run($1, null, null) as id', [JSON.stringify(spec)]),
    )
    rows()
    await client.query('select app.job_tree($1)', [submitted.rows[0].id])
    expect(pages()).toBeLessThan(3000 * 20)
  } finally {
    await client.end()
  }
})

test.each(Object.keys(statistics))(
  'the levels above a step are counted without reading its run, with %s',
  async (knowledge) => {
    const measureLevels = async (n: number) => {
      const { client, rows } = await watch()
      try {
        const { spec } = (shapes['a deep tree'] as (n: number) => Shape)(n)
        await load(client, statistics[knowledge] as (typeof statistics)[string], () =>
          client.query('select app.submit_run($1, null, null)', [JSON.stringify(spec)]),
        )
        // The settings of worker.exchange_steps, which calls it.
        await client.query(
          'set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off',
        )
        const last = await client.query('select max(id) as id from jobs')
        rows()
        const answer = await client.query('select app.count_levels($1) as levels', [last.rows[0].id])
        expect(answer.rows[0].levels).toBe(51)
        return rows()
      } finally {
        await client.end()
      }
    }
    const few = await measureLevels(200)
    expect(await measureLevels(800), `after ${few} rows`).toBeLessThan(few + 100)
  },
)

test.each(Object.keys(statistics))(
  'a submission reads neither the lanes of other owners nor earlier runs, with %s',
  async (knowledge) => {
    const gather = statistics[knowledge] as (typeof statistics)[string]
    const { client, rows } = await watch()
    const owner = crypto.randomUUID()
    try {
      await load(client, gather, () =>
        client.query(`
          insert into app.lanes (owner_id, type) select gen_random_uuid(), 'noop' from generate_series(1, 5000);
          insert into auth.users (id, aud, role) values ('${owner}', 'authenticated', 'authenticated');
          insert into app.runs (id, owner_id, idempotency_key, steps, created_at)
          select -n, case n % 3 when 0 then gen_random_uuid() when 1 then '${owner}'::uuid end, 'key ' || n, 1, now()
          from generate_series(1, 15000) as n`),
      )
      for (const caller of [owner, null]) {
        for (const key of [null, 'mine', 'mine']) {
          rows()
          await client.query('select app.submit_run($1, $2, $3)', ['{"key": "a", "type": "noop"}', caller, key])
          expect(rows(), `owner ${caller}, key ${key}`).toBeLessThan(500)
        }
      }
    } finally {
      await client.end()
    }
  },
)

test('claims in a worker, after the statistics of a queue in which no step ran', async () => {
  const measureClaims = async (n: number) => {
    const { client, rows } = await watch()
    const worker = crypto.randomUUID()
    try {
      await client.query(`truncate ${tables} cascade`)
      const spec = group(
        'root',
        many(1000, (i) => noop(`s${i}`)),
      )
      await client.query('select app.submit_run($1, null, null)', [JSON.stringify(spec)])
      await client.query(`analyze ${tables}`)
      const { steps } = await exchangeSteps(client, worker, [], n)
      const running = JSON.stringify(steps.map(({ id, fence }) => ({ id, fence, progress: 0.5 })))
      rows()
      await client.query("select worker.send_heartbeat($1, $2, '{}')", [worker, running])
      const heartbeat = rows()
      await exchangeSteps(
        client,
        worker,
        steps.map((step) => completed(step, null)),
      )
      return { send_heartbeat: heartbeat, exchange_steps: rows() }
    } finally {
      await client.end()
    }
  }
  const small = await measureClaims(100)
  const large = await measureClaims(400)
  expect(large.send_heartbeat / small.send_heartbeat, JSON.stringify({ small, large })).toBeLessThan(8)
  expect(large.exchange_steps / small.exchange_steps, JSON.stringify({ small, large })).toBeLessThan(8)
})

test('a claim by a worker of an earlier version than most steps', async () => {
  const measureClaim = async (n: number) => {
    const { client, rows } = await watch()
    const submit = (count: number) =>
      client.query('select app.submit_run($1, null, null)', [
        JSON.stringify(
          group(
            'root',
            many(count, (i) => noop(`s${i}`)),
          ),
        ),
      ])
    try {
      await client.query(`truncate ${tables} cascade`)
      await client.query("update job_types set version = 2 where name = 'noop'")
      await submit(n)
      await client.query("update job_types set version = 1 where name = 'noop'")
      await submit(10)
      await client.query(`analyze ${tables}`)
      rows()
      expect((await exchangeSteps(client, crypto.randomUUID(), [], 5)).steps).toHaveLength(5)
      return rows()
    } finally {
      await client.end()
    }
  }
  const few = await measureClaim(200)
  expect(await measureClaim(2000), `after ${few} rows`).toBeLessThan(few + 100)
})

test.each(Object.keys(statistics))(
  'a claim from a lane at its limit of open steps, in which many steps wait, with %s',
  async (knowledge) => {
    const gather = statistics[knowledge] as (typeof statistics)[string]
    const measureClaims = async (n: number) => {
      const { client, rows } = await watch()
      const worker = crypto.randomUUID()
      const film = (key: string, more: Partial<Step> = {}): Step => ({ key, type: 'film', ...more })
      try {
        await client.query(
          "insert into job_types (name, owner_open_limit, is_paid) values ('film', 3, true) on conflict do nothing",
        )
        const films = group(
          'root',
          many(n, (i) => film(`s${i}`)),
        )
        await load(client, gather, async () => {
          // Another lane, because a claim from a lane that is alone does less.
          for (const step of [noop('first'), films])
            await client.query('select app.submit_run($1, null, null)', [JSON.stringify(step)])
        })
        const { steps } = await exchangeSteps(client, worker, [], 10)
        expect(steps).toHaveLength(4)
        const open = steps.filter(({ type }) => type === 'film')
        const saves = open.map(({ id, fence }, i) => ({
          ...{ id, fence, outcome: 'rescheduled', state: i, retry_in_ms: i === 0 ? 0 : 60_000 },
        }))
        await exchangeSteps(client, worker, saves)
        const counts: Record<string, number> = {}
        const claim = async (name: string, want: number, keys: (string | undefined)[]) => {
          rows()
          const claimed = await exchangeSteps(client, worker, [], want)
          counts[name] = rows()
          expect(claimed.steps.map(({ key }) => key)).toEqual(keys)
          return claimed.steps
        }
        const [due] = await claim('a step with a state', 10, [open[0]?.key])
        await claim('no step', 10, [])
        if (due === undefined) throw new Error('No step was due.')
        rows()
        await exchangeSteps(client, worker, [completed(due)])
        counts['the end of an open step'] = rows()
        await claim('the next step', 10, ['s3'])
        await client.query('update app.settings set buying_is_stopped = true')
        await claim('no step while buying is stopped', 10, [])
        await client.query('update app.settings set buying_is_stopped = false')
        await requireInvariants(client)
        return counts
      } finally {
        await client.end()
      }
    }
    const few = await measureClaims(200)
    for (const [name, count] of Object.entries(await measureClaims(2000)))
      expect(count, `${name}, after ${few[name]} rows`).toBeLessThan((few[name] as number) + 100)
  },
)
