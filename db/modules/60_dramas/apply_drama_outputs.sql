-- app.apply_drama_outputs, app.tg_jobs__apply_drama_outputs
--
-- Writes      dramas, drama_characters, episodes, scenes; at the end of a run drama_packages; jobs.error_slug of what was not
--             taken
-- Locks       the worker holds the runs; then come the dramas, lowest id first; then the rows below them
-- Why         it refuses nothing: an error here would undo what a whole batch of steps has done, and the worker would hand it
--             in again for ever. The handler's schema has failed what is malformed; what still is, is left out, and said
create or replace function app.tg_jobs__apply_drama_outputs()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_done_ids bigint[];
  v_ended_ids bigint[];
begin
  select
    array_agg(n.id) filter (
      where n.worked_at = v_now and n.status in ('completed', 'joining') and n.error_slug is null
        and n.type <> 'generate_drama'
    ),
    array_agg(n.id) filter (where n.parent_id is null and n.finished_at is not null)
  into v_done_ids, v_ended_ids
  from new_jobs as n
  where n.type = any (
    '{write_outline,write_cast,write_script,write_scene,generate_image,generate_video,generate_drama}'::text[]
  );

  if v_done_ids is not null then
    perform app.apply_drama_outputs(v_done_ids);
  end if;
  if v_ended_ids is not null then
    perform app.pack_dramas(
      array(select r.drama_id from app.drama_runs as r where r.run_id = any (v_ended_ids))
    );
  end if;
  return null;
end
$$;

comment on function app.tg_jobs__apply_drama_outputs() is 'Puts what steps of dramas have made into their tables.';

create or replace function app.apply_drama_outputs(job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_types text[] := array(select distinct j.type from public.jobs as j where j.id = any (apply_drama_outputs.job_ids));
  v_fitting_ids bigint[];
  v_taken_ids bigint[] := '{}'::bigint[];
begin
  perform
  from public.dramas as d
  where d.id = any (
    array(
      select r.drama_id
      from public.jobs as j
      join app.drama_runs as r on r.run_id = any (array[j.root_id])
      where j.id = any (apply_drama_outputs.job_ids)
    )
  )
  order by d.id
  for no key update;

  v_fitting_ids := app.pick_fitting_outputs(apply_drama_outputs.job_ids);
  -- A batch has two or three types: the statements of the others would cost as much as these.
  if 'write_outline' = any (v_types) then
    v_taken_ids := v_taken_ids || app.apply_outlines(v_fitting_ids);
  end if;
  if 'write_cast' = any (v_types) then
    v_taken_ids := v_taken_ids || app.apply_casts(v_fitting_ids);
  end if;
  if 'write_script' = any (v_types) then
    v_taken_ids := v_taken_ids || app.apply_scripts(v_fitting_ids);
  end if;
  if 'write_scene' = any (v_types) then
    v_taken_ids := v_taken_ids || app.apply_scenes(v_fitting_ids);
  end if;
  if v_types && '{generate_image,generate_video}'::text[] then
    v_taken_ids := v_taken_ids || app.apply_drama_assets(v_fitting_ids);
  end if;

  update public.jobs as j
  set
    error_slug = 'output_not_taken',
    error_message = 'The drama did not take it: it is malformed, or too much, or what it was made for has changed meanwhile or is gone.'
  where j.id = any (apply_drama_outputs.job_ids)
    and j.id <> all (v_taken_ids)
    -- A run that makes pictures for something else is none of ours.
    and exists (select from app.drama_runs as r where r.run_id = j.root_id);
end
$$;

comment on function app.apply_drama_outputs(bigint[]) is 'Puts the outputs of these steps into the tables of the dramas that their runs may write to.';
