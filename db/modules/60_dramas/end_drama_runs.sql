-- app.end_drama_runs
--
-- Called by   the job engine, as on_run_ended of the types of dramas
-- Writes      as app.return_media, app.pack_run_dramas
-- Locks       as app.return_media, app.pack_run_dramas
create or replace function app.end_drama_runs(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.return_media(end_drama_runs.run_ids);
  perform app.pack_run_dramas(end_drama_runs.run_ids);
end
$$;

comment on function app.end_drama_runs(bigint[]) is
$$Callback on_run_ended: gives unused media back, and stores the document of each drama that these
runs wrote to.$$;
