-- app.repeat_callbacks
--
-- Called by   schedule repeat-callbacks
-- Writes      callback_faults; the rows that the callbacks write
-- Locks       runs, lowest id first, then faults, both with skip locked: retry_job repeats the
--             calls of a run that it holds
-- Why         waits at most 1 s for the rows of a callback, because it holds runs of many users.
--             Stops after 10 s, so that the calls which succeeded commit before statement_timeout
create or replace function app.repeat_callbacks()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  set lock_timeout = '1s'
as $$
declare
  v_stop_at timestamptz := app.clock() + interval '10 seconds';
  v_due_ids bigint[];
  v_free_ids bigint[];
  v_one record;
  v_repeated integer := 0;
begin
  v_due_ids := array(
    select f.run_id
    from app.callback_faults as f
    where f.next_at <= app.now()
    order by f.next_at
    limit 100
  );
  v_free_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (v_due_ids)
    order by r.id
    for update skip locked
  );
  -- Faults of deleted runs.
  v_free_ids := v_free_ids || array(
    select d.id
    from unnest(v_due_ids) as d (id)
    where not exists (select from app.runs as r where r.id = d.id)
  );

  for v_one in
    select f.run_id, f.callback
    from app.callback_faults as f
    where f.run_id = any (v_free_ids) and f.next_at <= app.now()
    order by f.run_id, f.callback
    for update skip locked
  loop
    perform app.repeat_callback(v_one.run_id, v_one.callback);
    v_repeated := v_repeated + 1;
    exit when app.clock() > v_stop_at;
  end loop;

  return v_repeated;
end
$$;

comment on function app.repeat_callbacks() is
$$Repeats stored on_run_ended calls that are due, of up to 100 runs. Returns how many it tried.$$;
