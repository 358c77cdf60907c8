-- app.record_events
--
-- Writes      job_events, if app.settings.job_events_are_kept
create or replace function app.record_events(job_ids bigint[], status text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if cardinality(record_events.job_ids) is distinct from 0
    and (select s.job_events_are_kept from app.settings as s)
  then
    insert into app.job_events (run_id, job_id, status, happened_at)
    select j.root_id, j.id, record_events.status, clock_timestamp()
    from public.jobs as j
    where j.id = any (record_events.job_ids)
    order by j.id;
  end if;
end
$$;

comment on function app.record_events(bigint[], text) is
  'Records that these steps reached a status, if app.settings.job_events_are_kept.';
