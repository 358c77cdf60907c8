-- app.enqueue_pump
--
-- Writes      the queue: one job, however often it is asked for; of those due later, one a second
-- Locks       an advisory lock, tried only: who finds somebody else adding the same job leaves it to them. Waiting for that
--             row would make all submissions wait for each other
-- Why         it wakes a worker at once. Where it is lost, a heartbeat finds what is ready within a second.
create or replace function app.enqueue_pump(run_at timestamptz default null)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_key text := 'run_steps';
begin
  if enqueue_pump.run_at > app.now() then
    v_key := v_key || ' ' || ceil(extract(epoch from enqueue_pump.run_at))::bigint;
  end if;
  if exists (
    select from graphile_worker.jobs as j
    where j.key = v_key and j.locked_at is null and j.run_at <= greatest(enqueue_pump.run_at, app.now())
  ) then
    return;
  end if;

  if pg_try_advisory_xact_lock(hashtextextended(v_key, 0)) then
    perform app.enqueue('run_steps', '{}', v_key, enqueue_pump.run_at);
  end if;
end
$$;

comment on function app.enqueue_pump(timestamptz) is 'Has a worker take steps that are ready, now or at run_at.';
