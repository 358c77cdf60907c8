import type pg from 'pg'

/** How long a storm lasts and how large it is. */
export type Storm = { seconds: number; sessions: number; users: number; seed: number }

/** How often each operation succeeded and was refused, and how many sessions were killed. */
export type Weather = { done: Record<string, number>; refused: number; killed: number; checks: number }

type Random = (below: number) => number

/** An operation: SQL that runs in a transaction, with a user and a random number. */
const operations: Record<string, { weight: number; sql: string }> = {
  submit: { weight: 30, sql: 'select storm.submit($1, $2)' },
  complete: { weight: 14, sql: 'select storm.complete($1, $2)' },
  fail: { weight: 4, sql: 'select storm.fail($1, $2)' },
  cancel: { weight: 8, sql: 'select storm.cancel($1, $2)' },
  delete_run: { weight: 3, sql: 'select storm.delete_run($1, $2)' },
  grant: { weight: 8, sql: 'select storm.grant_some($1, $2)' },
  refund: { weight: 6, sql: 'select storm.refund($1, $2)' },
  adjust: { weight: 4, sql: 'select storm.adjust($1, $2)' },
  expire: { weight: 5, sql: 'select app.expire_credits() from (select $1::uuid, $2::integer) as o' },
  age: { weight: 5, sql: 'select storm.age($1, $2)' },
  periods: { weight: 3, sql: 'select app.grant_due_periods() from (select $1::uuid, $2::integer) as o' },
  backstop: { weight: 1, sql: 'select app.cancel_overdue_holds() from (select $1::uuid, $2::integer) as o' },
  break_release: { weight: 2, sql: 'select storm.break_release($1, $2)' },
  repeat: { weight: 2, sql: 'select storm.repeat_callbacks() from (select $1::uuid, $2::integer) as o' },
  delete_user: { weight: 1, sql: 'select storm.delete_user($1, $2)' },
}

/** Errors with these codes are refusals that a storm may meet: answers of functions, deadlock victims excluded. */
const expected = new Set(['PT402', 'PT404', 'PT409', 'PT422', '57P01', '55P03'])

/**
 * Runs random grants, holds, captures, releases, expiries, refunds, debts, deletions and crashes from several sessions at the
 * same moment, and checks after each second and at the end that everything adds up. Throws at the first fault or deadlock.
 */
export async function raiseStorm(
  connect: () => Promise<pg.Client>,
  { seconds, sessions, users, seed }: Storm,
): Promise<Weather> {
  const admin = await connect()
  await admin.query(setUp)
  await admin.query('select storm.add_users($1)', [users])
  const weather: Weather = { done: {}, refused: 0, killed: 0, checks: 0 }
  const end = performance.now() + seconds * 1000
  const fault = new AbortController()
  // On a busy machine a storm goes on until it has been checked twice.
  const goesOn = () =>
    !fault.signal.aborted && (performance.now() < end || weather.checks < 2 || !weather.done['complete'])
  const work = Array.from({ length: sessions }, (_, n) =>
    blow(connect, startRandom(seed + n), goesOn, weather).catch((error) => {
      fault.abort()
      throw error
    }),
  )
  const watching = (async () => {
    const watcher = await connect()
    while (goesOn()) {
      await requireSums(watcher)
      weather.checks++
      await new Promise((done) => setTimeout(done, 200))
    }
    await watcher.end()
  })()
  const results = await Promise.allSettled([...work, watching])
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  await admin.query('select storm.end_all()')
  await requireSums(admin)
  const { rows } = await admin.query('select count(*)::integer as held from public.users where credits_held <> 0')
  if (rows[0].held !== 0) throw new Error('A hold outlives all runs.')
  await admin.end()
  return weather
}

/** Throws if `ops.credit_faults` has a row. */
export async function requireSums(client: pg.Client): Promise<void> {
  const { rows } = await client.query('select * from ops.credit_faults limit 5')
  if (rows.length > 0) throw new Error(`Credits do not add up: ${JSON.stringify(rows)}`)
}

async function blow(
  connect: () => Promise<pg.Client>,
  random: Random,
  goesOn: () => boolean,
  weather: Weather,
): Promise<void> {
  const killer = await connect()
  let client = await connect()
  const { rows } = await killer.query('select id from public.users order by id')
  const ids = rows.map((row) => row.id as string)
  const names = Object.entries(operations).flatMap(([name, { weight }]) => Array<string>(weight).fill(name))
  while (goesOn()) {
    const name = names[random(names.length)] as string
    const user = ids[random(ids.length)] as string
    const { processID } = client as unknown as { processID: number }
    const result = client.query({ name, text: operations[name]?.sql as string, values: [user, random(1000)] }).then(
      () => null,
      (error: pg.DatabaseError) => error,
    )
    // A crash: the session ends in the middle of its transaction, or a moment later.
    if (random(60) === 0) {
      await killer.query('select pg_terminate_backend($1)', [processID])
      weather.killed++
    }
    const error = await result
    if (error === null) weather.done[name] = (weather.done[name] ?? 0) + 1
    else if (error.code === undefined || expected.has(error.code)) weather.refused++
    else throw new Error(`${name}: ${error.code} ${error.message}`, { cause: error })
    const isAlive = await client.query('select').then(
      () => true,
      () => false,
    )
    if (!isAlive) client = await connect()
  }
  await Promise.all([client.end(), killer.end()])
}

/** Returns a generator of whole numbers below a bound (mulberry32), so that a storm can be raised again by its seed. */
function startRandom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** The job type of the storm, and an SQL function for each operation. */
const setUp = `
create schema storm;
update public.plans set credits_per_period = 5, period = '1 day', low_credits_at = 3 where id = 'free';
insert into public.job_types (name, max_failures, backoff, backoff_max) values ('paid', 1, '1 ms', '1 ms');
create table app.storm_breaks (run_id bigint);

create function app.storm_release(run_ids bigint[]) returns void language plpgsql as $$
begin
  if exists (select from app.storm_breaks as b where b.run_id = any (run_ids)) then
    raise exception 'The product is broken.';
  end if;
  perform app.release_holds(run_ids);
end
$$;
select app.register_callbacks('paid', on_completed => 'app.capture_holds', on_run_ended => 'app.storm_release');

create function storm.add_users(n integer) returns void language sql as $$
  insert into auth.users (id, email) select gen_random_uuid(), gen_random_uuid() || '@example.com' from generate_series(1, n);
$$;

create function storm.submit(user_id uuid, r integer) returns void language plpgsql as $$
declare
  v_run_id bigint;
begin
  perform app.ensure_lanes(user_id, array['paid']);
  perform app.lock_credits(array[user_id]);
  v_run_id := app.submit_run('{"key": "work", "type": "paid"}', user_id, null);
  perform app.place_hold(user_id, v_run_id, 1 + r % 7, 'Storm.');
end
$$;

-- Ten runs of any users, so that batches of several users meet.
create function storm.pick(r integer) returns bigint[] language sql as $$
  select array(
    select h.run_id from public.credit_holds as h where h.status = 'open' order by md5(h.id::text || r) limit 1 + r % 10
  );
$$;

-- The results of a worker: completed and failed steps in one batch, some of them by a worker that was lost.
create function storm.finish(r integer, outcome text) returns void language plpgsql as $$
declare
  v_worker uuid := md5('worker' || r % 3)::uuid;
  v_steps jsonb;
  v_answer jsonb;
begin
  v_answer := worker.exchange_work(v_worker, '[]', 1 + r % 12, array['paid'], 50);
  v_steps := v_answer -> 'steps';
  if r % 5 = 0 then
    return;
  end if;
  perform worker.exchange_work(
    v_worker,
    (
      select coalesce(jsonb_agg(
        case
          when outcome = 'failed' and n % 2 = 0 then jsonb_build_object(
            'id', s -> 'id', 'fence', s -> 'fence', 'outcome', 'failed', 'is_permanent', true,
            'error', '{"slug": "storm", "message": "Storm."}'::jsonb
          )
          else jsonb_build_object('id', s -> 'id', 'fence', s -> 'fence', 'outcome', 'completed', 'output', 1)
        end
      ), '[]')
      from jsonb_array_elements(v_steps) with ordinality as g (s, n)
    ),
    0, array['paid'], 50
  );
end
$$;
create function storm.complete(user_id uuid, r integer) returns void language sql as $$
  select storm.finish(r, 'completed');
$$;
create function storm.fail(user_id uuid, r integer) returns void language sql as $$
  select storm.finish(r, 'failed');
$$;
create function storm.cancel(user_id uuid, r integer) returns void language sql as $$
  select app.cancel_runs(storm.pick(r));
$$;
create function storm.delete_run(user_id uuid, r integer) returns void language plpgsql as $$
declare
  v_run_ids bigint[] := storm.pick(r);
begin
  v_run_ids := array(select x.id from app.runs as x where x.id = any (v_run_ids) order by x.id for update);
  delete from app.runs as x where x.id = any (v_run_ids);
end
$$;
create function storm.grant_some(user_id uuid, r integer) returns void language sql as $$
  select app.grant_credits(
    user_id, 1 + r % 20, (array['pack', 'bonus'])[1 + r % 2], case when r % 3 = 0 then 'order ' || r end,
    case when r % 4 = 0 then now() + r * interval '1 ms' end, 'key ' || r
  );
$$;
create function storm.refund(user_id uuid, r integer) returns void language sql as $$
  select app.take_back_credits(g.id, 1 + r % g.amount, 'Storm.')
  from (
    select g.id, g.amount from public.credit_grants as g
    where g.user_id = refund.user_id order by md5(g.id::text || r) limit 1
  ) as g;
$$;
create function storm.adjust(user_id uuid, r integer) returns void language sql as $$
  select app.adjust_credits(user_id, case when r % 11 = 0 then 1 else r % 11 - 5.5 + 0.5 end, 'Storm.', 'key ' || r);
$$;
-- Lets time pass for one user: periods, grants and holds of the user become due.
create function storm.age(user_id uuid, r integer) returns void language plpgsql as $$
begin
  perform app.lock_credits(array[age.user_id]);
  update app.credit_periods as p set next_at = '-infinity' where p.user_id = age.user_id;
  perform set_config('plinth.changes_credits', 'on', true);
  if r % 3 = 0 then
    update public.credit_grants as g set expires_at = now() where g.user_id = age.user_id and g.id::text like '%' || r % 10;
  elsif r % 3 = 1 then
    update public.credit_holds as h set expires_at = now() where h.user_id = age.user_id and h.status = 'open';
  end if;
  perform set_config('plinth.changes_credits', '', true);
end
$$;
create function storm.break_release(user_id uuid, r integer) returns void language sql as $$
  insert into app.storm_breaks select unnest(storm.pick(r));
$$;
create function storm.repeat_callbacks() returns void language plpgsql as $$
begin
  delete from app.storm_breaks;
  update app.callback_faults set next_at = '-infinity' where run_id % 2 = 0;
  perform app.repeat_callbacks();
end
$$;
create function storm.delete_user(user_id uuid, r integer) returns void language plpgsql as $$
begin
  -- A few users are deleted, so that the storm does not end early.
  if r % 4 = 0 then
    delete from auth.users as u where u.id = delete_user.user_id;
  end if;
end
$$;
create function storm.end_all() returns void language plpgsql as $$
begin
  delete from app.storm_breaks;
  perform app.cancel_runs(array(select r.id from app.runs as r where r.finished_at is null));
  update app.callback_faults set next_at = '-infinity';
  while app.repeat_callbacks() > 0 loop
    null;
  end loop;
end
$$;
`
