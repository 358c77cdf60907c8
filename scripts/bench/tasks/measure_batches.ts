import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { atMost, type Figure, median, type Section, say } from '../report.ts'
import type { TasksStage, User } from './stage.ts'

const [few, many] = [100, 1000] as const
const pending = 10_000

/** Measures the functions that change many tasks in one transaction: each call alone, inside Postgres, and rolled back. */
export async function measureBatches(stage: TasksStage, finished: number): Promise<Section> {
  const admin = await stage.open('batches')
  await admin.query(await readFile(join(import.meta.dirname, 'batches.sql'), 'utf8'))
  const users = await stage.addUsers(admin, 100)
  const sections = [
    await measureCallbacks(admin, users, stage.rounds),
    await measureAdmitting(admin, users, stage.rounds),
    await measureDeleting(await stage.connect('batches', 'worker'), admin, users, finished),
  ]
  return { bars: sections.flatMap(({ bars }) => bars), figures: sections.flatMap(({ figures }) => figures) }
}

/** Measures the callbacks of finished ticks and of ended runs, in batches of 100 and of 1,000 steps of 100 users. */
async function measureCallbacks(admin: pg.Client, users: User[], rounds: number): Promise<Section> {
  say(`Batches: callbacks of ${few} and of ${many} steps …`)
  for (const { claims } of users) {
    await admin.query(`select set_config('request.jwt.claims', $1, false)`, [claims])
    await admin.query(
      `select app.submit_task('Plan garden ' || n, 50, null) from generate_series(1, $1::integer) as n`,
      [many / users.length],
    )
  }
  await admin.query(`update public.tasks set status = 'started'`)
  const { rows } = await admin.query<{ run_id: string }>('select run_id from public.tasks order by run_id')
  const runIds = rows.map(({ run_id }) => run_id)
  const usage = `'{"model": "gemini", "input_tokens": 900, "output_tokens": 90, "calls": 1}'::jsonb`
  const result = `jsonb_build_object('text', repeat('Thrift and sea kale. ', 50))`
  const callbacks = {
    record_ticks: {
      prepare: `update app.job_queue set state = jsonb_build_object('tick', 1, 'result', ${result}, 'question', null,
        'usage', ${usage}, 'notes', jsonb_build_array(repeat('A note. ', 100))) where job_id = any ($1)`,
      call: 'select app.record_ticks($1)',
      changed: `status = 'in_progress' and tick = 1`,
    },
    'record_ticks, with questions': {
      prepare: `update app.job_queue set state = jsonb_build_object('tick', 1, 'result', ${result},
        'question', '{"text": "Which plants?"}'::jsonb, 'usage', ${usage}, 'notes', '[]'::jsonb) where job_id = any ($1)`,
      call: 'select app.record_ticks($1)',
      changed: `status = 'input_required' and tick = 1`,
    },
    end_tasks: {
      prepare: `update public.jobs set status = 'completed', finished_at = now(), output = jsonb_build_object('tick', 1,
        'result', ${result}, 'usage', ${usage}) where id = any ($1)`,
      call: 'select app.end_tasks($1)',
      changed: `status = 'completed' and tick = 1`,
    },
  }
  const section: Section = { bars: [], figures: [] }
  for (const [name, { prepare, call, changed }] of Object.entries(callbacks)) {
    const measure = async (steps: number) => {
      const ids = runIds.filter((_id, index) => index % (many / steps) === 0)
      return rolledBack(admin, async () => {
        await admin.query(prepare, [ids])
        const ms = await time(() => admin.query(call, [ids]))
        const { rowCount } = await admin.query(`select from public.tasks where ${changed}`)
        if (rowCount !== steps) throw new Error(`${name} changed ${rowCount} of ${steps} tasks`)
        return (ms * 1000) / steps
      })
    }
    const results: { few: number; many: number }[] = []
    for (let round = -1; round < rounds; round++) {
      await admin.query('vacuum public.tasks, app.task_states, app.job_queue, public.jobs')
      const one = { few: await measure(few), many: await measure(many) }
      // The first round fills caches.
      if (round >= 0) results.push(one)
    }
    section.bars.push(
      atMost(
        `${name}: time per step of ${many}, against ${few}`,
        median(results.map((one) => one.many / one.few)),
        1.5,
      ),
    )
    section.figures.push(
      { name: `${name}: per step of ${few}`, value: median(results.map((one) => one.few)), unit: 'µs' },
      { name: `${name}: per step of ${many}`, value: median(results.map((one) => one.many)), unit: 'µs' },
    )
  }
  return section
}

/** Measures the admission of pending tasks of a user who has 10,000 of them. */
async function measureAdmitting(admin: pg.Client, users: User[], rounds: number): Promise<Section> {
  say(`Batches: admitting tasks of a user who has ${pending} pending …`)
  const [first, second] = users
  if (!first || !second) throw new Error('Admission needs two users')
  // Both users have ten running tasks from the measurement before. The second one has ten pending, the first one 10,000.
  await asReplica(admin, async () => {
    await admin.query('select public.bench_insert_pending($1, $2)', [pending, first.id])
    await admin.query('select public.bench_insert_pending($1, $2)', [10, second.id])
  })
  await admin.query('vacuum analyze public.tasks')
  const figures: Figure[] = []
  const admit = async (user: User, running: number | null, admitted: number) => {
    const times: number[] = []
    for (let round = -1; round < rounds * 3; round++) {
      const ms = await rolledBack(admin, async () => {
        await admin.query('update public.plans set tasks_running = $1', [running])
        await admin.query('select app.lock_task_owner($1)', [user.id])
        let count = 0
        const took = await time(async () => {
          count = (await admin.query<{ n: number }>('select app.admit_tasks(array[$1]::uuid[]) as n', [user.id]))
            .rows[0]?.n as number
        })
        if (count !== admitted) throw new Error(`${count} tasks were admitted instead of ${admitted}`)
        return took
      })
      if (round >= 0) times.push(ms)
    }
    return median(times)
  }
  const figure = (name: string, value: number) => figures.push({ name: `admit_tasks: ${name}`, value, unit: 'ms' })
  const long = await admit(first, 11, 1)
  const short = await admit(second, 11, 1)
  figure(`one task, of ${pending} pending`, long)
  figure('one task, of 10 pending', short)
  figure(`none, of ${pending} pending`, await admit(first, 10, 0))
  figure(`1,000 tasks at once, of ${pending} pending, without a quota`, await admit(first, null, 1000))
  return {
    bars: [atMost(`admit_tasks: one task of a user with ${pending} pending, against 10 pending`, long / short, 1.5)],
    figures,
  }
}

/** Measures the schedule that deletes finished tasks, batch by batch. */
async function measureDeleting(worker: pg.Client, admin: pg.Client, users: User[], finished: number): Promise<Section> {
  say(`Batches: deleting ${finished.toLocaleString('en')} finished tasks …`)
  await asReplica(admin, () =>
    admin.query('select public.bench_insert_finished($1, $2)', [finished, users.map(({ id }) => id)]),
  )
  await admin.query('vacuum analyze public.tasks, app.task_states, app.runs, public.jobs')
  await admin.query('checkpoint')
  const times: number[] = []
  let deleted = 0
  for (let handled = -1; handled !== 0; ) {
    const ms = await time(async () => {
      const { rows } = await worker.query<{ handled: number }>(
        `select worker.run_schedule('delete-finished-tasks') as handled`,
      )
      handled = rows[0]?.handled ?? 0
    })
    deleted += handled
    if (handled > 0) times.push(ms)
  }
  if (deleted !== finished) throw new Error(`${deleted} tasks were deleted instead of ${finished}`)
  const tenth = Math.ceil(times.length / 10)
  const name = `deleting ${finished.toLocaleString('en')} finished tasks`
  return {
    bars: [
      atMost(
        `${name}: last tenth of the batches, against the first`,
        median(times.slice(-tenth)) / median(times.slice(0, tenth)),
        1.5,
      ),
      atMost(`${name}: longest batch`, Math.max(...times), 1000, 'ms'),
    ],
    figures: [
      { name: `${name}: per batch of 1,000`, value: median(times), unit: 'ms' },
      { name: `${name}: total`, value: times.reduce((sum, ms) => sum + ms, 0) / 1000, unit: 's' },
    ],
  }
}

async function rolledBack<Value>(admin: pg.Client, work: () => Promise<Value>): Promise<Value> {
  await admin.query('begin')
  try {
    return await work()
  } finally {
    await admin.query('rollback')
  }
}

async function asReplica(admin: pg.Client, work: () => Promise<unknown>): Promise<void> {
  await admin.query('set session_replication_role = replica')
  await work()
  await admin.query('reset session_replication_role')
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}
