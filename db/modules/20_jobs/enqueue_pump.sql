-- app.enqueue_pump
--
-- Writes      the queue: one job, however often this is called; for later times, one job per second
-- Locks       an advisory lock, tried only. If another transaction is enqueueing the same job, this
--             one skips: waiting for that row would make all submissions wait for each other
-- Why         wakes a worker at once. If the job is lost, a heartbeat finds the ready steps within
--             a second
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
    select
    from graphile_worker.jobs as j
    where j.key = v_key
      and j.locked_at is null
      and j.run_at <= greatest(enqueue_pump.run_at, app.now())
  ) then
    return;
  end if;

  if pg_try_advisory_xact_lock(hashtextextended(v_key, 0)) then
    perform app.enqueue('run_steps', '{}', v_key, enqueue_pump.run_at);
  end if;
end
$$;

comment on function app.enqueue_pump(timestamptz) is
  'Wakes a worker that claims ready steps, now or at run_at.';
