-- app.reopen_drama_runs
--
-- Called by   the job engine, as on_run_reopened of the types of dramas
-- Writes      as app.reserve_media
-- Errors      those of app.require_media and app.require_drama_room: the run does not reopen
-- Locks       the owner's row of media_days; the engine has locked the run
create or replace function app.reopen_drama_runs(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
begin
  for v_one in
    select
      r.id, r.owner_id, m.images, m.videos,
      exists (
        select from public.jobs as j where j.id = any (array[r.id]) and j.type = 'generate_drama'
      ) as is_drama
    from app.count_open_media(reopen_drama_runs.run_ids) as m
    join app.runs as r on r.id = any (array[m.run_id])
    -- Runs that make images or videos for something else belong to another product.
    where exists (select from app.drama_runs as o where o.run_id = r.id)
    order by r.owner_id
  loop
    perform app.require_media(v_one.owner_id, v_one.images, v_one.videos);
    if v_one.is_drama then
      perform app.require_drama_room(v_one.owner_id, 0);
    end if;
    perform app.reserve_media(v_one.id, v_one.owner_id, v_one.images, v_one.videos);
  end loop;
end
$$;

comment on function app.reopen_drama_runs(bigint[]) is
  'Callback on_run_reopened: reserves the media that these runs may still begin.';
