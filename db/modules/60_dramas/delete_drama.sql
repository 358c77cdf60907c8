-- app.delete_drama, public.delete_drama
--
-- Called by   the owner; service_role
-- Writes      dramas and all below it; runs, which are closed; what app.cancel_job writes
-- Errors      PT404 drama_not_found, PT409 drama_changed
-- Locks       its runs, lowest id first; then the drama: so does a worker that hands in results
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
  perform app.require_read_committed();
  -- Who may not see the drama learns nothing of its runs.
  for v_run_id in
    select o.run_id
    from public.dramas as d
    join app.drama_runs as o on o.drama_id = d.id
    join app.runs as r on r.id = o.run_id
    where d.id = delete_drama.drama_id
      and (d.owner_id = auth.uid() or auth.role() = 'service_role')
    order by o.run_id
  loop
    -- Nobody may pay for a drama that is not there any more.
    update app.runs as r
    set is_closed = true
    where r.id = v_run_id;
    if exists (select from app.runs as r where r.id = v_run_id and r.finished_at is null) then
      perform app.cancel_job(v_run_id);
    end if;
  end loop;

  perform app.require_drama(delete_drama.drama_id);
  if exists (
    select
    from app.drama_runs as o
    join app.runs as r on r.id = o.run_id
    where o.drama_id = delete_drama.drama_id and r.finished_at is null
  ) then
    perform app.fail(409, 'drama_changed', 'Something of the drama was just started.', 'Repeat it.');
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
$$Deletes a drama with all that is below it, and cancels the jobs that work on it.

Images and videos stay in the object store. 404 drama_not_found. 409 drama_changed: a job was started at this moment; repeat it.$$;

grant execute on function app.delete_drama(uuid) to authenticated, service_role;
grant execute on function public.delete_drama(uuid) to authenticated, service_role;
