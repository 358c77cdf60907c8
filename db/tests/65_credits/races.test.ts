import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireSums } from '../../../scripts/credits/storm.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'

// Sessions at the same moment: holds, batches of results, schedules and deletions against each other.
let database: TestDatabase
let a: Client
let b: Client
let c: Client
let watcher: Client

beforeAll(async () => {
  database = await createDatabase()
  const session = () => database.connect()
  ;[a, b, c, watcher] = await Promise.all([session(), session(), session(), session()])
  await watcher.query(`
    update plans set credits_per_period = 0 where id = 'free';
    insert into job_types (name, max_failures) values ('paid', 1);
    select app.register_callbacks('paid', on_completed => 'app.capture_holds', on_run_ended => 'app.release_holds');
    create function app.submit_paid(user_id uuid, amount integer) returns bigint language plpgsql as $$
    declare
      v_run_id bigint;
    begin
      perform app.ensure_lanes(user_id, array['paid']);
      perform app.lock_credits(array[user_id]);
      v_run_id := app.submit_run('{"key": "work", "type": "paid"}', user_id, null);
      perform app.place_hold(user_id, v_run_id, amount, 'Test.');
      return v_run_id;
    end
    $$;
  `)
})
afterAll(() => database.drop())
beforeEach(async () => {
  // A test that failed may have left a transaction open, which must not block the next one.
  await Promise.all([a, b, c, watcher].map((client) => client.query('rollback')))
  await watcher.query('delete from auth.users; delete from app.runs')
})

/** Adds users who have credits, and returns their ids in order. */
async function addUsers(count: number, credits: number): Promise<string[]> {
  const { rows } = await watcher.query(
    `with added as (
       insert into auth.users (id, email)
       select gen_random_uuid(), gen_random_uuid() || '@example.com' from generate_series(1, $1::integer)
       returning id
     )
     select id from added order by id`,
    [count],
  )
  const ids = rows.map(({ id }) => id as string)
  await watcher.query(`select app.grant_credits(id, $2, 'pack', null, null, 'a') from unnest($1::uuid[]) as u (id)`, [
    ids,
    credits,
  ])
  return ids
}
const addUser = async (credits = 10) => (await addUsers(1, credits))[0] as string
const submit = async (client: Client, user: string, amount = 1) =>
  Number((await client.query('select app.submit_paid($1, $2) as id', [user, amount])).rows[0].id)
const balance = async (user: string) => {
  const { rows } = await watcher.query('select credits, credits_held, credits_owed from users where id = $1', [user])
  return rows.length === 0 ? null : Object.values(rows[0])
}

test('a thousand parallel holds on ten credits of a one-credit tool give ten holds', async () => {
  const user = await addUser(10)
  const sessions = await Promise.all(Array.from({ length: 25 }, () => database.connect()))
  const codes = await Promise.all(
    sessions.map(async (session) => {
      const answers: string[] = []
      for (let n = 0; n < 40; n++) {
        const answer = submit(session, user).then(
          () => 'held',
          (error) => error.code,
        )
        answers.push(await answer)
      }
      return answers
    }),
  ).then((answers) => answers.flat())
  await Promise.all(sessions.map((session) => session.end()))
  expect(codes.filter((code) => code === 'held')).toHaveLength(10)
  expect(codes.filter((code) => code === 'PT402')).toHaveLength(990)
  expect(await balance(user)).toEqual([10, 10, 0])
  expect((await watcher.query('select count(*)::integer as runs from app.runs')).rows[0].runs).toBe(10)
  await requireSums(watcher)
})

test('fifty concurrent requests on one user meet no deadlock, nor do they with the schedules', async () => {
  const user = await addUser(1000)
  await watcher.query(
    `select app.grant_credits($1, 5, 'bonus', null, now() + n * interval '5 ms', 'b' || n) from generate_series(1, 60) as n`,
    [user],
  )
  const sessions = await Promise.all(Array.from({ length: 50 }, () => database.connect()))
  let isOver = false
  const schedules = (async () => {
    while (!isOver) {
      await a.query('select app.expire_credits()')
      await a.query(`update app.credit_periods set next_at = '-infinity'`)
      await a.query('select app.grant_due_periods()')
    }
  })()
  try {
    await Promise.all(
      sessions.map(async (session, n) => {
        for (let turn = 0; turn < 4; turn++) {
          const run = await submit(session, user, 1 + (n % 3))
          if (n % 3 === 0) await session.query('select app.cancel_runs(array[$1::bigint])', [run])
          else if (n % 3 === 1) {
            await session.query('begin')
            await session.query('select from app.runs where id = $1 for update', [run])
            await session.query('select app.capture_hold($1)', [run])
            await session.query('select app.cancel_runs(array[$1::bigint])', [run])
            await session.query('commit')
          } else await session.query('delete from app.runs where id = $1', [run])
        }
      }),
    )
  } finally {
    isOver = true
    await schedules
    await Promise.all(sessions.map((session) => session.end()))
  }
  expect((await balance(user))?.slice(1)).toEqual([0, 0])
  await requireSums(watcher)
})

test('batches of a thousand runs of fifty users, in opposite orders, meet no deadlock', async () => {
  const users = await addUsers(50, 100)
  const place = async (order: string) =>
    (
      await watcher.query(
        `select array_agg(n) as runs
         from (
           select n, app.place_hold(u.id, n, 1, 'Test.')
           from (select nextval('jobs_id_seq') as n, u.id from generate_series(1, 20), unnest($1::uuid[]) as u (id)) as u
           order by ${order}
         ) as t`,
        [users],
      )
    ).rows[0].runs as string[]
  const [first, second, third] = [await place('u.id, n'), await place('u.id desc, n desc'), await place('n')]
  await Promise.all([
    a.query('select app.capture_holds($1)', [first]),
    b.query('select app.release_holds($1)', [second]),
    c.query('select app.capture_holds($1)', [third]),
    watcher.query('select app.expire_credits()'),
  ])
  for (const user of users) expect(await balance(user)).toEqual([60, 0, 0])
  await requireSums(watcher)
})

test('a second callback of a batch waits only briefly for a user that another batch has locked', async () => {
  const [low, high] = (await addUsers(2, 10)) as [string, string]
  const [lowRun, highRun] = [await submit(watcher, low), await submit(watcher, high)]
  await a.query('begin')
  await a.query('select app.capture_hold($1)', [highRun])
  await b.query('begin')
  await b.query('select app.lock_credits(array[$1::uuid])', [low])
  const waiting = b.query('select app.lock_credits(array[$1::uuid])', [high])
  await untilWaiting(watcher, b)
  await expect(a.query('select app.release_hold($1)', [lowRun])).rejects.toMatchObject({ code: '55P03' })
  await a.query('rollback')
  await waiting
  await b.query('commit')
})

test('deletion of a user against the callback of a run: the deletion waits for the run, and holds no user', async () => {
  const user = await addUser()
  const run = await submit(watcher, user)
  await a.query('begin')
  await a.query('select from app.runs where id = $1 for update', [run])
  const deleting = b.query('delete from auth.users where id = $1', [user])
  await untilWaiting(watcher, b)
  await a.query('select app.capture_hold($1)', [run])
  await a.query('commit')
  await deleting
  expect(await balance(user)).toBeNull()
  const { rows } = await watcher.query(`select user_id, amount from credit_entries where run_id = $1`, [run])
  expect(rows).toEqual([{ user_id: null, amount: -1 }])
  await requireSums(watcher)
})

test('callback of a run against the deletion of its user: the callback finds no hold', async () => {
  const user = await addUser()
  const run = await submit(watcher, user)
  await a.query('begin')
  await a.query('delete from auth.users where id = $1', [user])
  const capturing = b.query('select app.capture_hold($1)', [run])
  await untilWaiting(watcher, b)
  await a.query('commit')
  await capturing
  expect(
    (await watcher.query(`select from credit_entries where kind = 'charge' and run_id = $1`, [run])).rowCount,
  ).toBe(0)
  await requireSums(watcher)
})

test('deletion of a user against a submission: the deletion locks the new run before the user', async () => {
  const user = await addUser()
  await a.query('begin')
  const run = await submit(a, user)
  const deleting = b.query('delete from auth.users where id = $1', [user])
  await untilWaiting(watcher, b)
  await a.query('commit')
  await deleting
  expect(await balance(user)).toBeNull()
  expect((await watcher.query('select from app.runs where id = $1', [run])).rowCount).toBe(0)
  await requireSums(watcher)
})

test('deletion of a user against a submission and the callback of its new run: nobody waits for the other', async () => {
  const user = await addUser()
  await a.query('begin')
  const run = await submit(a, user)
  // The deletion waits for the user, and has no run yet.
  const deleting = b.query('delete from auth.users where id = $1', [user])
  await untilWaiting(watcher, b)
  await a.query('commit')
  // The callback of the new run may come at any moment from here on.
  await c.query('begin')
  await c.query('select from app.runs where id = $1 for update', [run])
  await c.query('select app.capture_hold($1)', [run])
  await c.query('commit')
  await deleting
  expect(await balance(user)).toBeNull()
  await requireSums(watcher)
})

test('the expiry schedule passes over a user whom another transaction has locked', async () => {
  const user = await addUser()
  await watcher.query(`select app.grant_credits($1, 5, 'bonus', null, now(), 'b')`, [user])
  await a.query('begin')
  await submit(a, user)
  expect((await b.query('select app.expire_credits() as n')).rows[0].n).toBe(0)
  await a.query('commit')
  expect((await b.query('select app.expire_credits() as n')).rows[0].n).toBe(1)
  expect(await balance(user)).toEqual([10, 1, 0])
  await requireSums(watcher)
})

test('the same grant from two sessions is given once', async () => {
  const user = await addUser()
  await a.query('begin')
  const grant = `select app.grant_credits($1, 5, 'pack', 'order', null, 'order') as id`
  const first = await a.query(grant, [user])
  const second = b.query(grant, [user])
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect((await second).rows[0].id).toBe(first.rows[0].id)
  expect(await balance(user)).toEqual([15, 0, 0])
})
