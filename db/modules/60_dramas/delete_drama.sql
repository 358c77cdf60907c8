-- app.delete_drama, public.delete_drama
--
-- Called by   the owner; service_role
-- Writes      dramas and its rows; runs, which are closed; as app.cancel_job
-- Errors      PT401 not_signed_in, PT404 drama_not_found, PT409 drama_changed
-- Locks       its runs, lowest id first, then the drama, in the order of a worker that hands in
--             results
create or replace function app.delete_drama(drama_id uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_run_id bigint;
begin
  perform app.require_caller();
  perform app.require_writing();
  perform app.require_read_committed();
  -- Only runs of a drama that the caller may see.
  for v_run_id in
    select o.run_id
    from public.dramas as d
    join app.drama_runs as o on o.drama_id = d.id
    join app.runs as r on r.id = o.run_id
    where d.id = delete_drama.drama_id
      and (d.owner_id = auth.uid() or auth.role() = 'service_role')
    order by o.run_id
  loop
    -- retry_job refuses a closed run, because its results would be paid for and lost.
    update app.runs as r
    set is_closed = true
    where r.id = v_run_id;
    if exists (
      select from app.runs as r where r.id = v_run_id and r.finished_at is null
    ) then
      perform app.cancel_job(v_run_id);
    end if;
  end loop;

  perform app.lock_drama(delete_drama.drama_id);
  if exists (
    select
    from app.drama_runs as o
    join app.runs as r on r.id = o.run_id
    where o.drama_id = delete_drama.drama_id and r.finished_at is null
  ) then
    perform app.fail(
      409,
      'drama_changed',
      'A job of this drama was started while the drama was being deleted.',
      'Repeat the request.'
    );
  end if;
  delete from public.dramas as d
  where d.id = delete_drama.drama_id;
end
$$;

comment on function app.delete_drama(uuid) is 'Deletes a drama; see public.delete_drama.';

create or replace function public.delete_drama(drama_id uuid)
  returns void
  language sql
  volatile
  set search_path = ''
return app.delete_drama(drama_id);

comment on function public.delete_drama(uuid) is
$$Deletes a drama with its characters, episodes and scenes, and cancels its jobs.

A worker deletes the images and videos within minutes, and once more an hour later; caches may keep
them for a day. 404 drama_not_found. 409 drama_changed: a job was started while the drama was being
deleted; repeat the request. From origin 002, which does not mention deletion.$$;

grant execute on function app.delete_drama(uuid) to anon, authenticated, service_role;
grant execute on function public.delete_drama(uuid) to anon, authenticated, service_role;
