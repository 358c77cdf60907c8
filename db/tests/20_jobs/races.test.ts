import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import {
  completed,
  exchangeSteps as exchange,
  exchangeWork,
  letSweep,
  sweepSteps,
} from '../../../scripts/testing/steps.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'
import { requireInvariants } from './invariants.ts'

// Two sessions at the same moment: claim, complete, cancel, retry and sweep against each other. A claim never waits; the
// other calls wait only for the same run.
let database: TestDatabase
let a: Client
let b: Client
let c: Client
let watcher: Client
const [first, second] = [crypto.randomUUID(), crypto.randomUUID()]

beforeAll(async () => {
  database = await createDatabase()
  const session = () => database.connect()
  ;[a, b, c, watcher] = await Promise.all([session(), session(), session(), session()])
  await watcher.query("insert into job_types (name, max_failures) values ('noop', 1)")
  await watcher.query("insert into job_types (name, running_limit) values ('scarce', 3)")
  for (const client of [a, b]) {
    await client.query(`select set_config('request.jwt.claims', '{"role": "service_role"}', false)`)
    // A statement that must not wait fails instead of hanging.
    await client.query("set lock_timeout = '10s'")
  }
})
afterAll(() => database.drop())
beforeEach(async () => {
  // A test that failed may have left a transaction open, which must not block the next one.
  await Promise.all([a, b, c, watcher].map((client) => client.query('rollback')))
  await watcher.query('delete from app.runs; delete from app.workers')
})

const submit = async (keys: string[], type = 'noop'): Promise<number> =>
  Number(
    (
      await watcher.query('select app.submit_run($1, null, null) as id', [
        JSON.stringify({ key: 'root', type: 'group', steps: keys.map((key) => ({ key, type })) }),
      ])
    ).rows[0].id,
  )
const verb = (client: Client, name: string, id: number) => client.query(`select ${name}_job($1) as status`, [id])
const status = async (id: number) => (await watcher.query('select status from jobs where id = $1', [id])).rows[0].status

test('claim against claim: neither waits, and no step is claimed twice', async () => {
  await submit(['a', 'b', 'c'])
  await a.query('begin')
  expect((await exchange(a, first, [], 2)).steps).toHaveLength(2)
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(1)
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await requireInvariants(watcher)
})

/** Makes a lane that is awake and empty. */
async function emptyLane(): Promise<void> {
  await submit(['a'])
  const { steps } = await exchange(a, first, [], 1)
  await exchange(
    a,
    first,
    steps.map((step) => completed(step)),
    0,
  )
}
const submitAs = (client: Client) =>
  client.query(`select app.submit_run('{"key": "late", "type": "noop"}', null, null)`)

test('claim against submit: the lane of a new step stays awake', async () => {
  await emptyLane()
  await a.query('begin')
  await submitAs(a)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(1)
  await requireInvariants(watcher)
})

test('submit against claim: a lane that is put to sleep is woken', async () => {
  await emptyLane()
  await a.query('begin')
  expect((await exchange(a, first, [], 5)).steps).toEqual([])
  const late = submitAs(b)
  await untilWaiting(watcher, b)
  await a.query('commit')
  await late
  await requireInvariants(watcher)
  expect((await exchange(a, first, [], 5)).steps).toHaveLength(1)
})

test('submit against submit: neither waits', async () => {
  await emptyLane()
  await a.query('begin')
  await submitAs(a)
  await submitAs(b)
  await a.query('commit')
  expect((await exchange(a, first, [], 5)).steps).toHaveLength(2)
})

test('submit against submit with the same key: one run, and 409 for another spec', async () => {
  const submitKeyed = (client: Client, key: string, input: number) =>
    client.query('select app.submit_run($1, null, $2) as id', [{ key: 'root', type: 'noop', input }, key]).then(
      ({ rows }) => rows[0].id,
      ({ detail }) => detail,
    )
  for (const end of ['commit', 'rollback']) {
    for (const input of [1, 2]) {
      const key = `${end} ${input}`
      await a.query('begin')
      const id = await submitKeyed(a, key, 1)
      const other = submitKeyed(b, key, input)
      await untilWaiting(watcher, b)
      await a.query(end)
      if (end === 'rollback') expect(await other, key).toMatch(/^\d+$/)
      else expect(await other, key).toBe(input === 1 ? id : 'idempotency_key_taken')
      expect((await watcher.query('select from app.runs where idempotency_key = $1', [key])).rowCount, key).toBe(1)
    }
  }
})

test('submit against submit of a new type without an owner: both runs are in one lane', async () => {
  await watcher.query("insert into job_types (name) values ('fresh')")
  const submitFresh = (client: Client) =>
    client.query(`select app.submit_run('{"key": "new", "type": "fresh"}', null, null)`)
  await a.query('begin')
  await submitFresh(a)
  const late = submitFresh(b)
  await untilWaiting(watcher, b)
  await a.query('commit')
  await late
  const lanes = "select from app.lanes where owner_id is null and type = 'fresh'"
  expect((await watcher.query(lanes)).rowCount).toBe(1)
  expect((await exchange(a, first, [], 5)).steps).toHaveLength(2)
  await requireInvariants(watcher)
})

test('submit, complete and claim in one lane: none waits for another', async () => {
  await submit(['a', 'b', 'c'])
  const { steps } = await exchange(a, first, [], 1)
  await watcher.query('begin')
  await submitAs(watcher)
  await a.query('begin')
  await exchange(
    a,
    first,
    steps.map((step) => completed(step)),
    0,
  )
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(2)
  await a.query('commit')
  await watcher.query('commit')
  expect((await exchange(a, first, [], 5)).steps).toHaveLength(1)
  await requireInvariants(watcher)
})

test('claim against claim of a limited type: the limit holds', async () => {
  await submit(['a', 'b', 'c', 'd', 'e'], 'scarce')
  await a.query('begin')
  expect((await exchange(a, first, [], 2)).steps).toHaveLength(2)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(1)
  await requireInvariants(watcher)
})

test('claim against claim of a type with a limit for each owner: the limit holds', async () => {
  await watcher.query("insert into job_types (name, owner_running_limit) values ('narrow', 3)")
  await submit(['a', 'b', 'c', 'd', 'e'], 'narrow')
  await a.query('begin')
  const { steps } = await exchange(a, first, [], 2)
  expect(steps).toHaveLength(2)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(1)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await exchange(a, first, [completed(steps[0] as ClaimedStep)], 0)
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(1)
  await requireInvariants(watcher)
})

const saves = (step: ClaimedStep | undefined, state: unknown) => ({
  ...{ id: step?.id, fence: step?.fence, outcome: 'rescheduled', retry_in_ms: 0 },
  state,
})
const readStates = async () =>
  (await watcher.query('select state from app.step_states union all select state from app.job_queue order by 1')).rows
    .map(({ state }) => state)
    .filter((state) => state !== null)

test('claim against claim at the limit of open steps: the limit holds', async () => {
  await watcher.query("insert into job_types (name, owner_open_limit) values ('film', 3)")
  await submit(['a', 'b', 'c', 'd', 'e'], 'film')
  await a.query('begin')
  const { steps } = await exchange(a, first, [], 2)
  expect(steps).toHaveLength(2)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps).toHaveLength(1)
  // The turn of a step ends while another worker claims: the step is open before and after.
  await a.query('begin')
  await exchange(a, first, [saves(steps[0], 1)])
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps.map(({ id }) => id)).toEqual([steps[0]?.id])
  // Two workers see the place of the same step.
  await exchange(a, first, [completed(steps[1] as ClaimedStep)])
  await a.query('begin')
  expect((await exchange(a, first, [], 5)).steps).toHaveLength(1)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await requireInvariants(watcher)
})

test('cancel against reschedule: the first to lock the run decides which state survives', async () => {
  const id = await submit(['a'])
  const [begun] = (await exchange(a, first, [], 1)).steps
  await exchange(a, first, [saves(begun, 'old')])
  const [polled] = (await exchange(a, first, [], 1)).steps
  await a.query('begin')
  await verb(a, 'cancel', id)
  const late = exchange(b, first, [saves(polled, 'late')])
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await late).refused).toMatchObject([{ reason: 'step_lost' }])
  expect(await readStates()).toEqual(['old'])
  await requireInvariants(watcher)

  await verb(a, 'retry', id)
  const [again] = (await exchange(a, first, [], 1)).steps
  expect(again?.state).toBe('old')
  await a.query('begin')
  await exchange(a, first, [saves(again, 'new')])
  const cancelling = verb(b, 'cancel', id)
  await untilWaiting(watcher, b)
  await a.query('commit')
  await cancelling
  expect(await readStates()).toEqual(['new'])
  await requireInvariants(watcher)
})

test('retry against a late result with an old fence: the result is refused, and the state stays', async () => {
  const id = await submit(['a'])
  const [begun] = (await exchange(a, first, [], 1)).steps
  await exchange(a, first, [saves(begun, 'old')])
  const [polled] = (await exchange(a, first, [], 1)).steps
  await verb(a, 'cancel', id)
  await a.query('begin')
  await verb(a, 'retry', id)
  const results = [saves(polled, 'late'), { ...saves(polled, null), outcome: 'failed', is_permanent: true }]
  const lost = [{ reason: 'step_lost' }, { reason: 'step_lost' }]
  expect((await exchange(b, first, results)).refused).toMatchObject(lost)
  await a.query('commit')
  expect((await exchange(b, first, results)).refused).toMatchObject(lost)
  expect(await readStates()).toEqual(['old'])
  expect((await exchange(a, first, [], 1)).steps).toMatchObject([{ id: begun?.id, state: 'old' }])
  await requireInvariants(watcher)
})

test('complete against complete: the second waits, and the run ends once', async () => {
  const id = await submit(['a', 'b'])
  const { steps } = await exchange(a, first, [], 2)
  await a.query('begin')
  await exchange(a, first, [completed(steps[0] as ClaimedStep)], 0)
  const other = exchange(b, second, [completed(steps[1] as ClaimedStep)], 0)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await other).refused).toEqual([])
  expect(await status(id)).toBe('completed')
  await requireInvariants(watcher)
})

test('the same result twice at the same moment counts once', async () => {
  const id = await submit(['a'])
  const { steps } = await exchange(a, first, [], 1)
  await a.query('begin')
  await exchange(a, first, [completed(steps[0] as ClaimedStep)], 0)
  const other = exchange(b, first, [completed(steps[0] as ClaimedStep)], 0)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await other).refused).toMatchObject([{ reason: 'step_lost' }])
  expect(await status(id)).toBe('completed')
})

test('cancel against complete: the first to lock the run wins', async () => {
  const id = await submit(['a'])
  const { steps } = await exchange(a, first, [], 1)
  await a.query('begin')
  await verb(a, 'cancel', id)
  const late = exchange(b, first, [completed(steps[0] as ClaimedStep)], 0)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await late).refused).toMatchObject([{ reason: 'step_lost' }])
  expect(await status(id)).toBe('cancelled')

  const other = await submit(['a'])
  const taken = await exchange(a, first, [], 1)
  await a.query('begin')
  await exchange(a, first, [completed(taken.steps[0] as ClaimedStep)], 0)
  const cancelling = verb(b, 'cancel', other)
  cancelling.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(cancelling).rejects.toMatchObject({ code: 'PT409', detail: 'job_finished' })
  await requireInvariants(watcher)
})

test('cancel against claim: cancel waits for the claim, and cancels its step', async () => {
  const id = await submit(['a', 'b'])
  await a.query('begin')
  const { steps } = await exchange(a, first, [], 1)
  const cancelling = verb(b, 'cancel', id)
  await untilWaiting(watcher, b)
  await a.query('commit')
  await cancelling
  expect((await exchange(a, first, [completed(steps[0] as ClaimedStep)], 0)).refused).toHaveLength(1)
  await requireInvariants(watcher)
})

test('claim against cancel: the claim skips the locked steps', async () => {
  const id = await submit(['a', 'b'])
  await a.query('begin')
  await verb(a, 'cancel', id)
  expect((await exchange(b, second, [], 5)).steps).toEqual([])
  await a.query('commit')
  await requireInvariants(watcher)
})

test('a failure against a claim in the same run: the claimed step runs, and the run fails after it', async () => {
  const id = await submit(['a', 'b', 'c'])
  const { steps } = await exchange(a, first, [], 1)
  await b.query('begin')
  const claimed = await exchange(b, second, [], 1)
  const failing = exchange(
    a,
    first,
    [{ ...completed(steps[0] as ClaimedStep), outcome: 'failed', is_permanent: true }],
    0,
  )
  await untilWaiting(watcher, a)
  await b.query('commit')
  await failing
  await requireInvariants(watcher)
  expect(await status(id)).not.toBe('failed')
  await exchange(b, second, [completed(claimed.steps[0] as ClaimedStep)], 0)
  expect(await status(id)).toBe('failed')
  await requireInvariants(watcher)
})

test('retry against retry: one of them is refused', async () => {
  const id = await submit(['a'])
  await verb(a, 'cancel', id)
  await a.query('begin')
  await verb(a, 'retry', id)
  const other = verb(b, 'retry', id)
  other.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(other).rejects.toMatchObject({ code: 'PT409', detail: 'job_not_finished' })
  await requireInvariants(watcher)
})

test('leave against claim: leave waits for the exchange, and returns its steps', async () => {
  await submit(['a'])
  await a.query('begin')
  await exchange(a, first, [], 1)
  const left = b.query('select worker.leave($1)', [first])
  await untilWaiting(watcher, b)
  await a.query('commit')
  await left
  expect((await watcher.query('select from app.workers')).rowCount).toBe(0)
  const { rows } = await watcher.query('select status, losses from app.job_queue where parent_id is not null')
  expect(rows).toEqual([{ status: 'queued', losses: 0 }])
  await requireInvariants(watcher)
})

const createUser = async (): Promise<string> => {
  const id = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
  return id
}
const submitFor = (client: Client, owner: string) =>
  client.query(`select app.submit_run('{"key": "root", "type": "noop"}', $1, null) as id`, [owner])

test('leave against an exchange that waits for a client: leave ends, and a sweep counts no loss', async () => {
  await submit(['a'])
  await exchange(a, first, [], 1)
  await a.query('begin')
  await exchange(a, first, [], 0)
  await b.query('select worker.leave($1)', [first])
  await a.query('commit')
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
  await letSweep(watcher, second)
  expect(await sweepSteps(b, second)).toBe(1)
  const { rows } = await watcher.query('select status, losses from app.job_queue where parent_id is not null')
  expect(rows).toEqual([{ status: 'queued', losses: 0 }])
  await requireInvariants(watcher)
})

test('the deletion of a user against submit: submit waits, and does not find the owner', async () => {
  const owner = await createUser()
  await a.query('begin')
  await a.query('delete from auth.users where id = $1', [owner])
  const late = submitFor(b, owner)
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ code: 'PT404', detail: 'owner_not_found' })
  expect((await watcher.query('select from app.runs')).rowCount).toBe(0)
})

test('submit against the deletion of its owner: the deletion waits, and deletes the run', async () => {
  const owner = await createUser()
  await a.query('begin')
  await submitFor(a, owner)
  const gone = b.query('delete from auth.users where id = $1', [owner])
  await untilWaiting(watcher, b)
  await a.query('commit')
  await gone
  expect((await watcher.query('select from app.runs')).rowCount).toBe(0)
})

test('the deletion of a user against children that need a new lane: one waits, and both end', async () => {
  const owner = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [owner, `${owner}@example.com`])
  const { rows } = await watcher.query(`select app.submit_run('{"key": "root", "type": "noop"}', $1, null) as id`, [
    owner,
  ])
  const { steps } = await exchange(a, first, [], 1)
  await a.query('begin')
  // Locks the run, as handing in does first.
  await a.query('select from app.runs where id = $1 for update', [rows[0].id])
  const gone = b.query('delete from auth.users where id = $1', [owner])
  await untilWaiting(watcher, b)
  const children = [{ key: 'c', type: 'scarce' }]
  await exchange(a, first, [{ ...completed(steps[0] as ClaimedStep), children }], 0)
  await a.query('commit')
  await gone
  const left = await watcher.query(
    'select (select count(*) from jobs where owner_id = $1) + (select count(*) from app.lanes where owner_id = $1) as rows',
    [owner],
  )
  expect(Number(left.rows[0].rows)).toBe(0)
})

test('the deletion of a user against results of several runs: both lock the runs lowest id first', async () => {
  const owner = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [owner, `${owner}@example.com`])
  const ids: number[] = []
  for (let n = 0; n < 30; n++) {
    const { rows } = await watcher.query(
      `select app.submit_run('{"key": "root", "type": "noop"}', $1, null)::integer as id`,
      [owner],
    )
    ids.push(rows[0].id)
  }
  const [lowest = 0, next = 0] = ids
  // The lowest now lies behind the others.
  await verb(a, 'cancel', lowest)
  await verb(a, 'retry', lowest)
  const { steps } = await exchange(a, first, [], 100)
  const two = steps.filter(({ id }) => id === lowest || id === next)
  expect(two).toHaveLength(2)
  await c.query('begin')
  await c.query('select from app.runs where id = $1 for update', [lowest])
  const handedIn = exchange(
    a,
    first,
    two.map((step) => completed(step)),
    0,
  )
  await untilWaiting(watcher, a)
  const gone = b.query('delete from auth.users where id = $1', [owner])
  await untilWaiting(watcher, b)
  await c.query('commit')
  expect((await handedIn).refused).toEqual([])
  await gone
  await requireInvariants(watcher)
})

test('the deletion of a user against a callback that submits a run for them: both end, and no run stays', async () => {
  const user = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [user, `${user}@example.com`])
  await watcher.query(`
    create function app.submit_more(job_ids bigint[]) returns void language plpgsql as $$
    begin
      perform app.submit_run('{"key": "more", "type": "noop"}', j.owner_id, null)
      from public.jobs as j where j.id = job_ids[1];
    end $$;
    insert into job_types (name) values ('growing');
    select app.register_callbacks('growing', on_completed => 'app.submit_more')`)
  await watcher.query('select app.submit_run($1, $2, null)', [JSON.stringify({ key: 'root', type: 'growing' }), user])
  const [step] = (await exchange(a, first, [], 1)).steps
  await c.query('begin')
  await c.query('select from app.runs where owner_id = $1 for update', [user])
  const handedIn = exchange(a, first, [completed(step as ClaimedStep)])
  // The call may fail before the commit below has returned.
  handedIn.catch(() => {})
  await untilWaiting(watcher, a)
  const deleted = b.query('delete from auth.users where id = $1', [user])
  await untilWaiting(watcher, b)
  await c.query('commit')
  // The worker repeats the call, unless the deletion has not locked the user yet or has deleted the run.
  await handedIn.catch(({ code }) => expect(code).toBe('55P03'))
  await deleted
  expect((await exchange(a, first, [completed(step as ClaimedStep)])).refused).toMatchObject([{ reason: 'step_lost' }])
  expect((await watcher.query('select from jobs where owner_id = $1', [user])).rowCount).toBe(0)
  await requireInvariants(watcher)
})

test('the deletion of a user against a transaction that changes a run twice: it waits, and both end', async () => {
  const owner = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [owner, `${owner}@example.com`])
  const steps = ['a', 'b'].map((key) => ({ key, type: 'noop' }))
  await watcher.query('select app.submit_run($1, $2, null)', [
    JSON.stringify({ key: 'root', type: 'group', steps }),
    owner,
  ])
  const held = (await exchange(a, first, [], 2)).steps
  await a.query('begin')
  const children = [{ key: 'c', type: 'noop' }]
  await exchange(a, first, [{ ...completed(held[0] as ClaimedStep), children }], 0)
  const gone = b.query('delete from auth.users where id = $1', [owner])
  await untilWaiting(watcher, b)
  const failed = { ...completed(held[1] as ClaimedStep), outcome: 'failed', is_permanent: true }
  expect((await exchange(a, first, [failed], 0)).refused).toEqual([])
  await a.query('commit')
  await gone
  expect((await watcher.query('select from app.runs where owner_id = $1', [owner])).rowCount).toBe(0)
  expect((await watcher.query('select from jobs where owner_id = $1', [owner])).rowCount).toBe(0)
})

test('a claim that has waited counts the rate at the time when it claims', async () => {
  await watcher.query("insert into job_types (name, rate_limit, rate_window) values ('rated', 3, '2 seconds')")
  const run = await submit(['a'])
  const { steps } = await exchange(a, first, [], 1)
  await submit(
    Array.from({ length: 9 }, (_one, n) => `r${n}`),
    'rated',
  )
  await c.query('begin')
  await c.query('select from app.runs where id = $1 for update', [run])
  const slow = exchange(a, first, [completed(steps[0] as ClaimedStep)], 9)
  await untilWaiting(watcher, a)
  await new Promise((resolve) => setTimeout(resolve, 2100))
  await c.query('commit')
  expect((await slow).steps).toHaveLength(3)
  expect((await exchange(b, second, [], 9)).steps).toHaveLength(0)
  await watcher.query('delete from app.runs')
})

test('sweep against sweep: one requeues the steps, and neither waits', async () => {
  await submit(['a', 'b'])
  await exchange(a, first, [], 2)
  const third = crypto.randomUUID()
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
  await letSweep(watcher, second)
  await letSweep(watcher, third)
  await a.query('begin')
  expect(await sweepSteps(a, second)).toBe(2)
  expect(await sweepSteps(b, third)).toBe(0)
  await a.query('commit')
  const { rows } = await watcher.query('select status, losses from app.job_queue where parent_id is not null')
  expect(rows).toEqual([
    { status: 'queued', losses: 1 },
    { status: 'queued', losses: 1 },
  ])
  await requireInvariants(watcher)
})

test('sweep against an exchange of a worker whose heartbeats are late: it keeps its steps', async () => {
  await submit(['a', 'b'])
  const { steps } = await exchange(a, first, [], 1)
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
  await letSweep(watcher, second)
  await a.query('begin')
  const more = await exchange(a, first, [], 1)
  expect(await sweepSteps(b, second)).toBe(0)
  await a.query('commit')
  const results = [...steps, ...more.steps].map((step) => completed(step))
  expect(results).toHaveLength(2)
  expect((await exchange(a, first, results, 0)).refused).toEqual([])
  await requireInvariants(watcher)
})

test('sweep against complete: the result waits, and is refused', async () => {
  await submit(['a'])
  const { steps } = await exchange(a, first, [], 1)
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
  await letSweep(watcher, second)
  await a.query('begin')
  await sweepSteps(a, second)
  const late = exchange(b, first, [completed(steps[0] as ClaimedStep)], 0)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await late).refused).toMatchObject([{ reason: 'step_lost' }])
  await requireInvariants(watcher)
})

/** Submits a run of one step. */
const submitRoot = async (type: string): Promise<number> => {
  const spec = JSON.stringify({ key: 'root', type })
  return Number((await watcher.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id)
}
/** Makes a run of one claimed step, whose worker is silent. */
async function loseStep(type: string): Promise<number> {
  const id = await submitRoot(type)
  const worker = crypto.randomUUID()
  expect((await exchange(a, worker, [], 1)).steps).toHaveLength(1)
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour' where id = $1", [worker])
  return id
}
/** Sweeps as a worker that has sent heartbeats all the time. */
async function sweep(client: Client): Promise<void> {
  await letSweep(watcher, second)
  await sweepSteps(client, second)
}

test('sweep against a locked run: the sweep does not wait, and the next one requeues the step', async () => {
  await watcher.query("insert into job_types (name, max_losses) values ('lone', 1)")
  const [locked, free] = [await loseStep('lone'), await loseStep('lone')]
  await c.query('begin')
  await c.query('select from app.runs where id = $1 for update', [locked])
  await sweep(a)
  expect([await status(locked), await status(free)]).toEqual(['queued', 'failed'])
  expect((await watcher.query('select from app.workers where id <> $1', [second])).rowCount).toBe(1)
  await c.query('commit')
  await sweep(a)
  expect(await status(locked)).toBe('failed')
  expect((await watcher.query('select from app.workers where id <> $1', [second])).rowCount).toBe(0)
  await requireInvariants(watcher)
})

test('sweep against a row that a callback locks: the sweep passes over the step, and requeues the others', async () => {
  await watcher.query(`
    create table app.gates (id integer primary key);
    insert into app.gates values (1);
    create function app.pass_gate(job_ids bigint[]) returns void language plpgsql as $$
    begin
      perform from app.gates for update;
    end $$;
    insert into job_types (name, max_losses) values ('gated', 1);
    select app.register_callbacks('gated', on_run_ended => 'app.pass_gate')`)
  const [gated, free] = [await loseStep('gated'), await loseStep('lone')]
  await c.query('begin')
  await c.query('select from app.gates for update')
  await sweep(a)
  expect([await status(gated), await status(free)]).toEqual(['queued', 'failed'])
  await c.query('commit')
  await sweep(a)
  expect(await status(gated)).toBe('failed')
  await requireInvariants(watcher)
})

test('sweep against a row that a callback locks: other products of the same worker are swept', async () => {
  const ids = [await submitRoot('gated'), await submitRoot('lone')]
  const worker = crypto.randomUUID()
  expect((await exchange(a, worker, [], 2)).steps).toHaveLength(2)
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour' where id = $1", [worker])
  await c.query('begin')
  await c.query('select from app.gates for update')
  await sweep(a)
  expect(await Promise.all(ids.map(status))).toEqual(['queued', 'failed'])
  await c.query('commit')
  await sweep(a)
  expect(await Promise.all(ids.map(status))).toEqual(['failed', 'failed'])
  await requireInvariants(watcher)
})

test('retention against retry: the schedule skips a run that is being retried', async () => {
  const [retried, old] = [await submit(['a']), await submit(['a'])]
  await verb(a, 'cancel', retried)
  await verb(a, 'cancel', old)
  await watcher.query("update app.runs set finished_at = now() - interval '31 days'")
  await a.query('begin')
  await verb(a, 'retry', retried)
  expect((await b.query('select app.delete_finished_runs() as runs')).rows).toEqual([{ runs: 1 }])
  await a.query('commit')
  expect((await watcher.query('select id::int from app.runs')).rows).toEqual([{ id: retried }])
  expect(await status(retried)).toBe('joining')
  await requireInvariants(watcher)
})

test('repeated callbacks against retry: the retry waits, and finds the end of the run processed', async () => {
  const id = await submitRoot('gated')
  await verb(a, 'cancel', id)
  await watcher.query(
    "insert into app.callback_faults (run_id, callback, failed_at, next_at, error) values ($1, 'app.pass_gate', now(), now(), 'x')",
    [id],
  )
  await a.query('begin')
  expect((await a.query('select app.repeat_callbacks() as count')).rows).toEqual([{ count: 1 }])
  const retried = verb(b, 'retry', id)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await retried).rows).toEqual([{ status: 'queued' }])
  await requireInvariants(watcher)
})

test('retry against repeated callbacks: the schedule skips the run, whose call the retry repeats', async () => {
  const id = await submitRoot('gated')
  await verb(a, 'cancel', id)
  await watcher.query(
    "insert into app.callback_faults (run_id, callback, failed_at, next_at, error) values ($1, 'app.pass_gate', now(), now(), 'x')",
    [id],
  )
  await a.query('begin')
  await verb(a, 'retry', id)
  expect((await b.query('select app.repeat_callbacks() as count')).rows).toEqual([{ count: 0 }])
  await a.query('commit')
  expect((await watcher.query('select from app.callback_faults')).rowCount).toBe(0)
  await requireInvariants(watcher)
})

test('many workers on many runs: no deadlock, and each step completes once', async () => {
  const workers = await Promise.all(Array.from({ length: 8 }, () => database.connect('worker')))
  const ids = await Promise.all(Array.from({ length: 20 }, () => submit(['a', 'b', 'c', 'd', 'e', 'f'])))
  let handedIn = 0
  await Promise.all(
    workers.map(async (client) => {
      const id = crypto.randomUUID()
      let held: ClaimedStep[] = []
      for (let idle = 0; idle < 40; ) {
        const answer = await exchange(
          client,
          id,
          held.map((step) => completed(step)),
          7,
        )
        expect(answer.refused).toEqual([])
        handedIn += held.length
        held = answer.steps
        idle = held.length === 0 ? idle + 1 : 0
        if (idle > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }),
  )
  expect(handedIn).toBe(120)
  for (const id of ids) expect(await status(id)).toBe('completed')
  await requireInvariants(watcher)
})

/** Claims one step each of new runs of a type. Returns the steps, of the first run first. */
async function claimEach(type: string, runs: number): Promise<ClaimedStep[]> {
  for (let n = 0; n < runs; n++) {
    await watcher.query(`select app.submit_run(jsonb_build_object('key', 'root', 'type', $1::text), null, null)`, [
      type,
    ])
  }
  const { steps } = await exchangeWork(a, first, [], runs)
  return steps.toSorted((one, other) => one.id - other.id)
}

test('a run that another transaction holds: results of other runs are applied, and steps are claimed', async () => {
  const [held, other, further] = (await claimEach('noop', 3)) as [ClaimedStep, ClaimedStep, ClaimedStep]
  await submit(['next'])
  await c.query('begin')
  await c.query('select from app.runs where id = $1 for update', [held.run_id])
  const results = [completed(other), completed(held), completed(further)]
  const answer = await exchangeWork(a, first, results, 1)
  expect(answer.refused).toEqual([{ index: 1, id: held.id, reason: 'run_busy' }])
  expect(answer.steps).toMatchObject([{ key: 'next' }])
  expect(await Promise.all([held, other, further].map(({ id }) => status(id)))).toEqual([
    'queued',
    'completed',
    'completed',
  ])
  await c.query('commit')
  expect((await exchangeWork(a, first, [completed(held)])).refused).toEqual([])
  expect(await status(held.id)).toBe('completed')
  await requireInvariants(watcher)
})

/** A type whose callback `on` locks the row of each step in table locked. */
async function addLockingType(name: string, on: 'on_completed' | 'on_run_ended'): Promise<void> {
  await watcher.query(`
    create table if not exists app.locked (id bigint primary key);
    alter table app.locked enable row level security;
    create or replace function app.lock_rows(job_ids bigint[]) returns void language plpgsql as $$
    begin
      perform from app.locked as l where l.id = any (job_ids) order by l.id for update;
    end $$;
    insert into job_types (name) values ('${name}');
    select app.register_callbacks('${name}', ${on} => 'app.lock_rows')`)
}

test.each(['on_completed', 'on_run_ended'] as const)(
  'a row that %s locks and another transaction holds: results of other runs are applied',
  async (on) => {
    const type = `locking_${on}`
    await addLockingType(type, on)
    const [held, other] = (await claimEach(type, 2)) as [ClaimedStep, ClaimedStep]
    await watcher.query('insert into app.locked values ($1)', [held.id])
    await c.query('begin')
    await c.query('select from app.locked where id = $1 for update', [held.id])
    const answer = await exchangeWork(a, first, [completed(held), completed(other)])
    expect(answer.refused).toEqual([{ index: 0, id: held.id, reason: 'run_busy' }])
    expect(await status(other.id)).toBe('completed')
    await c.query('commit')
    expect((await exchangeWork(a, first, [completed(held)])).refused).toEqual([])
    await requireInvariants(watcher)
  },
)

test('a sweep requeues lost steps although another transaction holds a row that the end of one run locks', async () => {
  await addLockingType('locking_lost', 'on_run_ended')
  await watcher.query("update job_types set max_losses = 1 where name = 'locking_lost'")
  const [held, other] = (await claimEach('locking_lost', 2)) as [ClaimedStep, ClaimedStep]
  await watcher.query('insert into app.locked values ($1)', [held.id])
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
  await letSweep(watcher, second)
  await c.query('begin')
  await c.query('select from app.locked where id = $1 for update', [held.id])
  expect(await sweepSteps(b, second)).toBe(1)
  expect([await status(held.id), await status(other.id)]).toEqual(['queued', 'failed'])
  await c.query('commit')
  expect(await sweepSteps(b, second)).toBe(1)
  expect(await status(held.id)).toBe('failed')
})

test('a worker that ends returns its steps although another transaction holds one of the runs', async () => {
  const [held, other] = (await claimEach('noop', 2)) as [ClaimedStep, ClaimedStep]
  await c.query('begin')
  await c.query('select from app.runs where id = $1 for update', [held.run_id])
  await a.query('select worker.leave($1)', [first])
  const { rows } = await watcher.query('select job_id, status from app.job_queue order by job_id')
  expect(rows).toMatchObject([{ status: 'running' }, { status: 'queued', job_id: String(other.id) }])
  expect((await watcher.query('select from app.workers where id = $1', [first])).rowCount).toBe(1)
  await c.query('commit')
  // The worker has ended in order, so a sweep counts no loss for the step.
  await watcher.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
  await letSweep(watcher, second)
  expect(await sweepSteps(b, second)).toBe(1)
  const { rows: returned } = await watcher.query('select losses, status from app.job_queue where job_id = $1', [
    held.id,
  ])
  expect(returned).toEqual([{ losses: 0, status: 'queued' }])
  expect((await watcher.query('select from app.workers where id = $1', [first])).rowCount).toBe(0)
  await requireInvariants(watcher)
})
