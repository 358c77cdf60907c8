-- app.tg_dramas__record_run
--
-- Writes      drama_runs, drama_requests
create or replace function app.tg_dramas__record_run()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  insert into app.drama_runs (run_id, drama_id)
  values (new.run_id, new.id);
  -- The hash outlives the run, as the drama's key does.
  insert into app.drama_requests (drama_id, request_hash)
  select new.id, r.request_hash
  from app.runs as r
  where r.id = new.run_id and r.request_hash is not null;
  return null;
end
$$;

comment on function app.tg_dramas__record_run() is
  'Permits the run of a new drama to write to it, and stores the hash of the drama''s request.';
