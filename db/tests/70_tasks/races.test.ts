import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { announceVersions, claimSteps, completed, exchangeSteps, repeatedly } from '../../../scripts/testing/steps.ts'
import { until, untilWaiting } from '../../../scripts/testing/waiting.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'

// Two sessions at the same moment: users change their tasks, and workers hand in results.
let database: TestDatabase
let a: Client
let b: Client
let watcher: Client
let ana: string
const worker = crypto.randomUUID()

/** A session of a user, as PostgREST opens it. */
async function connectAs(user: string): Promise<Client> {
  const client = await database.connect()
  await signIn(client, user)
  return client
}
async function signIn(client: Client, user: string): Promise<void> {
  await client.query(
    `select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false),
       set_config('lock_timeout', '60s', false)`,
    [JSON.stringify({ sub: user, role: 'authenticated' })],
  )
}
async function createUser(plan = 'free'): Promise<string> {
  const id = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
  await watcher.query('update users set plan_id = $2 where id = $1', [id, plan])
  return id
}

beforeAll(async () => {
  database = await createDatabase()
  watcher = await database.connect()
  await announceVersions(watcher, worker)
  // One user sends more requests here than a person does.
  await watcher.query('update app.settings set task_writes_per_minute = 1000000, job_retries_per_hour = 1000000')
  await watcher.query(
    "insert into plans (id, name, tasks_running, tasks_open, tasks_per_day) values ('wide', 'Wide', 3, 20, null)",
  )
  ;[a, b] = await Promise.all([database.connect(), database.connect()])
})
afterAll(() => database.drop())
beforeEach(async () => {
  // A test that failed may have left a transaction open.
  await Promise.all([a, b].map((client) => client.query('rollback').then(() => client.query('reset role'))))
  await watcher.query('delete from tasks; delete from app.runs')
  ana = await createUser('wide')
  await signIn(a, ana)
  await signIn(b, ana)
})

type Task = { id: string; run_id: string; status: string; mandate: string; result: object | null }
const submit = async (client: Client = a): Promise<Task> =>
  (await client.query("select * from submit_task('Find names.')")).rows[0]
const read = async (task: Task): Promise<Task> =>
  (await watcher.query('select * from tasks where id = $1', [task.id])).rows[0]
const claim = async (task: Task): Promise<ClaimedStep> => {
  const step = (await claimSteps(watcher, worker)).find(({ run_id }) => run_id === Number(task.run_id))
  if (!step) throw new Error('The step of the task is not claimed.')
  await watcher.query('select worker.start_task($1, $2)', [step.id, step.fence])
  return step
}
const done = (step: ClaimedStep) => completed(step, { tick: 1, result: { text: 'done' }, usage: {} })
const tick = (step: ClaimedStep, number: number, question: object | null = null, delayMs = 0) => ({
  id: step.id,
  fence: step.fence,
  outcome: 'rescheduled',
  retry_in_ms: delayMs,
  state: { tick: number, result: { text: `${number}` }, question, usage: {} },
})
const verb = (client: Client, name: string, task: Task) => client.query(`select (${name}_task($1)).status`, [task.id])
const slugOf = (request: Promise<unknown>) =>
  request.then(
    () => 'nothing was refused',
    ({ detail, code }: { detail?: string; code?: string }) => detail ?? code,
  )
/** A task whose step is claimed while its question is open. */
async function askAndClaim(): Promise<{ task: Task; step: ClaimedStep }> {
  const task = await submit()
  await exchangeSteps(watcher, worker, [tick(await claim(task), 1, { text: 'Which?' }, 60_000)])
  await watcher.query('select app.wake_step($1)', [task.run_id])
  return { task, step: await claim(task) }
}
/** A session that hands in results as a worker; its role is that of the owner of the door. */
async function asWorker(client: Client): Promise<Client> {
  await client.query('reset role')
  return client
}

test('a hundred submissions at once leave as many tasks as the plan has open ones', async () => {
  await watcher.query("insert into plans (id, name, tasks_running, tasks_open) values ('five', 'Five', 2, 5)")
  const user = await createUser('five')
  const sessions = await Promise.all(Array.from({ length: 25 }, () => connectAs(user)))
  const slugs = await Promise.all(
    sessions.map(async (client) => {
      const mine: string[] = []
      for (const sql of ["select submit_task('x')", "insert into tasks (mandate) values ('x')"].flatMap((one) => [
        one,
        one,
      ]))
        mine.push(
          // A refusal with a header has its slug in its message.
          await client.query(sql).then(
            () => 'submitted',
            ({ message }: Error) => JSON.parse(message).details,
          ),
        )
      return mine
    }),
  ).then((all) => all.flat())
  expect(slugs.filter((slug) => slug === 'submitted')).toHaveLength(5)
  expect(slugs.filter((slug) => slug === 'tasks_open_reached')).toHaveLength(95)
  const { rows } = await watcher.query(
    'select status, count(*)::integer as n from tasks where user_id = $1 group by status order by status',
    [user],
  )
  expect(rows).toEqual([
    { status: 'accepted', n: 2 },
    { status: 'pending', n: 3 },
  ])
  const runs = await watcher.query('select from app.runs where owner_id = $1', [user])
  expect(runs.rowCount).toBe(2)
  const day = await watcher.query('select tasks_of_day from app.task_owners where user_id = $1', [user])
  expect(day.rows).toEqual([{ tasks_of_day: 5 }])
})

/** Moves the clock: `client` is in a transaction of the old day, and all other transactions begin after midnight. */
async function passMidnight(client: Client, act: () => Promise<void>): Promise<void> {
  await client.query('begin')
  const { rows } = await client.query('select now()')
  await watcher.query(
    `create or replace function app.now() returns timestamptz language sql stable set search_path = ''
     return pg_catalog.now() + ('2030-01-01 00:00Z'::timestamptz - '${rows[0].now.toISOString()}'::timestamptz - '1 ms')`,
  )
  try {
    await act()
  } finally {
    await watcher.query(
      `create or replace function app.now() returns timestamptz language plpgsql stable set search_path = ''
       as $$begin return pg_catalog.now(); end$$`,
    )
  }
}

test('a submission that began before midnight forgets no task of the new day', async () => {
  await passMidnight(a, async () => {
    await submit(b)
    await submit(a)
    await a.query('commit')
    await submit(b)
    const day = await watcher.query('select day::text, tasks_of_day from app.task_owners where user_id = $1', [ana])
    expect(day.rows).toEqual([{ day: '2030-01-01', tasks_of_day: 3 }])
  })
})

test('a submission that began before midnight is told to wait until the new day ends', async () => {
  await watcher.query("insert into plans (id, name, tasks_per_day) values ('daily', 'Daily', 1)")
  await watcher.query("update users set plan_id = 'daily' where id = $1", [ana])
  await passMidnight(a, async () => {
    await submit(b)
    const { message, detail } = await submit(a).catch((error) => error)
    expect(JSON.parse(message).details).toBe('tasks_per_day_reached')
    // The clock of the old day says one second.
    expect(Number(JSON.parse(detail).headers['Retry-After'])).toBeGreaterThan(86_000)
  })
})

test('a worker whose task another transaction holds does not wait, and starts the task later', async () => {
  const task = await submit()
  const step = (await claimSteps(watcher, worker))[0] as ClaimedStep
  await asWorker(b)
  await a.query('begin')
  await a.query('reset role')
  await a.query('select from tasks where id = $1 for update', [task.id])
  // Without a limit of its own, the call would wait until this one.
  await b.query("set statement_timeout = '5s'")
  try {
    expect(await slugOf(b.query('select worker.start_task($1, $2)', [step.id, step.fence]))).toBe('55P03')
    await a.query('commit')
    await b.query('select worker.start_task($1, $2)', [step.id, step.fence])
    expect(await read(task)).toMatchObject({ status: 'started' })
  } finally {
    await b.query('reset statement_timeout')
  }
})

test('two submissions with one correlation_id submit one task', async () => {
  const keyed = (client: Client, mandate: string) =>
    client.query("select (submit_task($1, 5, 'k')).id", [mandate]).then(({ rows }) => rows[0].id)
  await a.query('begin')
  const id = await keyed(a, 'Find names.')
  const [same, other] = [keyed(b, 'Find names.'), slugOf(keyed(await connectAs(ana), 'Find more names.'))]
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect(await same).toBe(id)
  expect(await other).toBe('correlation_id_taken')
  expect((await watcher.query('select tasks_of_day from app.task_owners where user_id = $1', [ana])).rows).toEqual([
    { tasks_of_day: 1 },
  ])
})

test('cancel against a report: the first one counts', async () => {
  const late = await submit()
  const lateStep = await claim(late)
  await a.query('begin')
  await verb(a, 'cancel', late)
  const report = exchangeSteps(await asWorker(b), worker, [done(lateStep)])
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await report).refused).toMatchObject([{ reason: 'step_lost' }])
  expect(await read(late)).toMatchObject({ status: 'cancelled', result: null })

  const early = await submit()
  const earlyStep = await claim(early)
  await b.query('begin')
  await exchangeSteps(b, worker, [done(earlyStep)])
  const cancel = slugOf(verb(a, 'cancel', early))
  await untilWaiting(watcher, a)
  await b.query('commit')
  expect(await cancel).toBe('task_ended')
  expect(await read(early)).toMatchObject({ status: 'completed', result: { text: 'done' } })
})

test('delete against a report: the task and its run go, in either order', async () => {
  await asWorker(b)
  for (const isWorkerFirst of [true, false]) {
    const task = await submit()
    const waiting = await submit()
    const step = await claim(task)
    const remove = () => a.query('delete from tasks where id = $1', [task.id])
    const report = () => exchangeSteps(b, worker, [tick(step, 1)])
    const [first, second] = isWorkerFirst ? [b, a] : [a, b]
    await first.query('begin')
    await (isWorkerFirst ? report() : remove())
    const late = isWorkerFirst ? remove() : report()
    await untilWaiting(watcher, second)
    await first.query('commit')
    await late
    expect(await read(task)).toBeUndefined()
    expect((await watcher.query('select from app.runs where id = $1', [task.run_id])).rowCount).toBe(0)
    expect(await read(waiting)).toMatchObject({ status: 'accepted' })
  }
})

test('answer against the deadline: an answer that came in time counts', async () => {
  const { task, step } = await askAndClaim()
  // The answer must come within this time, so a busy machine gets more of it.
  for (let ms = 400; ; ms *= 4) {
    await watcher.query("update app.task_states set deadline = clock_timestamp() + $1 * interval '1 ms'", [ms])
    await a.query('begin')
    const slug = await slugOf(a.query("select answer_task($1, 1, '5')", [task.id]))
    if (slug === 'nothing was refused') break
    expect(slug).toBe('question_closed')
    await a.query('rollback')
  }
  // The deadline passes before the answer is committed.
  await until('the deadline passes', async () => {
    const { rows } = await watcher.query('select clock_timestamp() > deadline as has_passed from app.task_states')
    return rows[0].has_passed
  })
  await asWorker(b)
  const door = repeatedly(() => b.query('select worker.read_task($1, $2) as task', [step.id, step.fence]))
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await door).rows[0].task).toMatchObject({ answer: { value: 5 }, is_closed: false })
})

test('answer against the deadline: no answer counts that comes later', async () => {
  const { task, step } = await askAndClaim()
  await watcher.query("update app.task_states set deadline = now() - interval '1 ms'")
  await asWorker(b)
  await b.query('begin')
  const { rows } = await b.query('select worker.read_task($1, $2) as task', [step.id, step.fence])
  expect(rows[0].task).toMatchObject({ answer: null, is_closed: true })
  // The user's statement would still see time left, if the question were not closed.
  await b.query("update app.task_states set deadline = now() + interval '1 hour'")
  await b.query('select from tasks for no key update')
  const answer = slugOf(a.query("select answer_task($1, 1, '5')", [task.id]))
  await untilWaiting(watcher, a)
  await b.query('commit')
  expect(await answer).toBe('question_closed')
})

test('answer against a tick that asks the question again: the step does not wait for the deadline', async () => {
  const { task, step } = await askAndClaim()
  await a.query("select answer_task($1, 1, '5')", [task.id])
  await exchangeSteps(watcher, worker, [tick(step, 1, { text: 'Which?' }, 60_000)])
  expect(await read(task)).toMatchObject({ status: 'in_progress' })
  await claim(task)
})

test('retry against a report of the old run: the old fence changes nothing', async () => {
  const task = await submit()
  const step = await claim(task)
  await verb(a, 'cancel', task)
  await a.query('begin')
  await verb(a, 'retry', task)
  expect((await exchangeSteps(await asWorker(b), worker, [done(step)])).refused).toHaveLength(1)
  await a.query('commit')
  expect((await exchangeSteps(b, worker, [done(step)])).refused).toHaveLength(1)
  expect(await slugOf(b.query('select worker.start_task($1, $2)', [step.id, step.fence]))).toBe('step_lost')
  expect(await read(task)).toMatchObject({ status: 'accepted', result: null })
})

test('PATCH against admission: a pending task is changed, or not at all', async () => {
  const change = (client: Client, task: Task) =>
    client.query("update tasks set mandate = 'Find others.' where id = $1", [task.id])
  await watcher.query("insert into plans (id, name, tasks_running) values ('single', 'Single', 1)")
  await watcher.query("update users set plan_id = 'single' where id = $1", [ana])
  const [first, second, third] = [await submit(), await submit(), await submit()]
  let step = await claim(first)
  await asWorker(b)
  await b.query('begin')
  await exchangeSteps(b, worker, [done(step)])
  const late = slugOf(change(a, second))
  await untilWaiting(watcher, a)
  await b.query('commit')
  expect(await late).toBe('task_not_pending')
  expect(await read(second)).toMatchObject({ status: 'accepted', mandate: 'Find names.' })

  step = await claim(await read(second))
  await a.query('begin')
  await change(a, third)
  const report = exchangeSteps(b, worker, [done(step)])
  await untilWaiting(watcher, b)
  await a.query('commit')
  await report
  const next = await claim(await read(third))
  const { rows } = await watcher.query('select worker.start_task($1, $2) as task', [next.id, next.fence])
  expect(rows[0].task).toMatchObject({ mandate: 'Find others.' })
})

test('an insert with the id of a task waits for no worker that reports on the task', async () => {
  const task = await submit()
  const step = await claim(task)
  await asWorker(b)
  await b.query('begin')
  await exchangeSteps(b, worker, [tick(step, 1)])
  // Waiting would be a deadlock as soon as the worker locks the tasks of the user.
  expect(await slugOf(a.query("insert into tasks (id, mandate) values ($1, 'x')", [task.id]))).toBe('task_exists')
  await b.query('commit')
  expect(await read(task)).toMatchObject({ status: 'in_progress' })
})

test('cancel_job against delete: both succeed, or the job is not found', async () => {
  for (const isJobFirst of [true, false]) {
    const task = await submit()
    const cancel = (client: Client) => client.query('select cancel_job($1)', [task.run_id])
    const remove = (client: Client) => client.query('delete from tasks where id = $1', [task.id])
    await a.query('begin')
    await (isJobFirst ? cancel(a) : remove(a))
    const late = slugOf(isJobFirst ? remove(b) : cancel(b))
    await untilWaiting(watcher, b)
    await a.query('commit')
    expect(await late).toBe(isJobFirst ? 'nothing was refused' : 'job_not_found')
    expect(await read(task)).toBeUndefined()
  }
})

test('the deletion of a user against a report, in either order', async () => {
  for (const isWorkerFirst of [true, false]) {
    const user = await createUser()
    await signIn(a, user)
    const task = await submit()
    const step = await claim(task)
    // The next task of this user waits for a slot.
    await submit()
    await submit()
    await asWorker(a)
    await asWorker(b)
    const remove = () => a.query('delete from auth.users where id = $1', [user])
    const report = () => exchangeSteps(b, worker, [done(step)])
    const [first, second] = isWorkerFirst ? [b, a] : [a, b]
    await first.query('begin')
    await (isWorkerFirst ? report() : remove())
    const late = isWorkerFirst ? remove() : report()
    await untilWaiting(watcher, second)
    await first.query('commit')
    await late
    const left = await watcher.query(
      `select from tasks where user_id = $1 union all select from app.runs where owner_id = $1
       union all select from app.task_owners where user_id = $1`,
      [user],
    )
    expect(left.rowCount).toBe(0)
  }
})

test('a deletion of several tasks waits for a worker that reports on all of them', async () => {
  const tasks = [await submit(), await submit()]
  const steps = await claimSteps(watcher, worker)
  for (const step of steps) await watcher.query('select worker.start_task($1, $2)', [step.id, step.fence])
  const [one, two] = tasks.map(({ run_id }) => steps.find((step) => step.run_id === Number(run_id))) as [
    ClaimedStep,
    ClaimedStep,
  ]
  await asWorker(b)
  await b.query('begin')
  await exchangeSteps(b, worker, [tick(two, 1, { text: 'Which?' }, 60_000), done(one)])
  const remove = a.query('delete from tasks')
  await untilWaiting(watcher, a)
  await b.query('commit')
  expect((await remove).rowCount).toBe(2)
  expect((await watcher.query('select from app.runs')).rowCount).toBe(0)
})

test('users and workers who do everything at once get no deadlock and no unknown error', async () => {
  const users = [ana, await createUser('wide')]
  const slugs = new Map<string, number>()
  const [end, latest] = [performance.now() + 3000, performance.now() + 100_000]
  const known = /^(task_|question_|answer_|tasks_open|job_|done$)/
  // A busy machine needs longer than 3 s.
  const goesOn = () => performance.now() < ((slugs.get('done') ?? 0) > 50 ? end : latest)
  const note = (slug: string | undefined) => slugs.set(slug ?? '', (slugs.get(slug ?? '') ?? 0) + 1)
  const pick = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)] as T
  const people = users.flatMap((user) =>
    [1, 2, 3].map(async () => {
      const client = await connectAs(user)
      while (goesOn()) {
        const { rows } = await client.query<Task>('select * from tasks order by random() limit 1')
        const [id, run] = [rows[0]?.id ?? crypto.randomUUID(), rows[0]?.run_id ?? 0]
        const [sql, values] = pick<[string, unknown[]]>([
          ["select submit_task('x')", []],
          ["insert into tasks (mandate) values ('x')", []],
          ['select cancel_task($1)', [id]],
          ['select retry_task($1)', [id]],
          ["select answer_task($1, 1, '5')", [id]],
          ['select cancel_job($1)', [run]],
          ['select retry_job($1)', [run]],
          ["update tasks set mandate = 'y' where id = $1", [id]],
          ["update tasks set mandate = 'y'", []],
          ['delete from tasks where id = $1', [id]],
          ['delete from tasks where status = $1', [pick(['accepted', 'completed', 'in_progress', 'cancelled'])]],
        ])
        await client.query(sql, values).then(
          () => note('done'),
          ({ message, detail, code }: { message: string; detail?: string; code: string }) =>
            note(
              code === 'PGRST' ? JSON.parse(message).details : code.startsWith('PT') ? detail : `${code} ${message}`,
            ),
        )
      }
    }),
  )
  const faults: string[] = []
  const workers = [1, 2].map(async () => {
    const client = await database.connect()
    const id = crypto.randomUUID()
    await announceVersions(client, id)
    let results: object[] = []
    while (goesOn()) {
      try {
        const { steps } = await repeatedly(() => exchangeSteps(client, id, results, 5))
        results = []
        for (const step of steps) {
          const opened = await repeatedly(() =>
            client.query('select worker.start_task($1, $2) as task', [step.id, step.fence]),
          ).catch((error) => {
            // A user has cancelled or deleted the task.
            if (error.detail !== 'step_lost') throw error
          })
          if (!opened) continue
          const { tick: at, question, answer } = opened.rows[0].task
          if (question !== null && answer === null) results.push(tick(step, at, question, 60_000))
          else results.push(pick([done(step), tick(step, at + 1), tick(step, at + 1, { text: 'Which?' }, 60_000)]))
        }
      } catch (error) {
        const { code, message, detail } = error as { code: string; message: string; detail?: string }
        faults.push(`${code} ${message} ${detail}`)
      }
    }
  })
  await Promise.all([...people, ...workers])
  expect(faults).toEqual([])
  expect([...slugs.keys()].filter((slug) => !known.test(slug))).toEqual([])
  expect(slugs.get('done')).toBeGreaterThan(50)
  const { rows } = await watcher.query(
    `select t.user_id, t.status, j.status as job, t.run_id from tasks as t left join jobs as j on j.id = t.run_id
     where (t.status in ('accepted', 'started', 'in_progress', 'input_required'))
       <> (j.status is not null and j.status in ('queued', 'running'))`,
  )
  expect(rows).toEqual([])
  const orphans = await watcher.query(
    'select from app.runs as r where not exists (select from tasks where run_id = r.id)',
  )
  expect(orphans.rowCount).toBe(0)
  // No pending task waits for a slot that is free.
  await watcher.query('select app.admit_pending_tasks() as n').then(({ rows }) => expect(rows).toEqual([{ n: 0 }]))
  expect((await watcher.query('select from app.callback_faults')).rowCount).toBe(0)
})
