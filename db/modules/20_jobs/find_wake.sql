-- app.find_wake
--
-- Called by   worker.exchange_steps, worker.heartbeat
create or replace function app.find_wake()
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select ceil(extract(epoch from min(greatest(l.wake_at, l.not_before, app.now())) - app.now()) * 1000)::bigint
    from app.lanes as l
    join public.job_types as t on t.name = any (array[l.type])
    where l.wake_at < 'infinity'
      and (t.owner_running_limit is null or app.count_running(l.id) < t.owner_running_limit)
      and t.running_limit is distinct from 0
  );
end
$$;

comment on function app.find_wake() is 'In how many milliseconds a step is due; 0: now, or as soon as a limit allows; null: none.';

revoke execute on function app.find_wake() from public;
