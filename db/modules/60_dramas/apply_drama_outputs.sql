-- app.apply_drama_outputs
--
-- Called by   the job engine, as on_completed of all types of dramas: in the transaction that
--             completes the steps
-- Writes      dramas, drama_characters, episodes, scenes; drama_media, drama_sizes; jobs.error_slug
--             of steps whose output is not usable
-- Locks       the engine has locked the runs; this locks the dramas, lowest id first, then their
--             rows
-- Why         a callback never raises because of an output. The handler's schema fails malformed
--             outputs. If an output is malformed nevertheless, its malformed parts are left out,
--             and the step gets output_not_taken
create or replace function app.apply_drama_outputs(job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_types text[] := array(
    select distinct j.type from public.jobs as j where j.id = any (apply_drama_outputs.job_ids)
  );
  v_fitting_ids bigint[];
  v_applied_ids bigint[] := '{}'::bigint[];
begin
  perform
  from public.dramas as d
  where d.id = any (
    array(
      select r.drama_id
      from public.jobs as j
      -- = any (array[…]): an index lookup even where a plan was made on an empty table (ADR 16).
      join app.drama_runs as r on r.run_id = any (array[j.root_id])
      where j.id = any (apply_drama_outputs.job_ids)
    )
  )
  order by d.id
  for no key update;

  v_fitting_ids := app.pick_fitting_outputs(apply_drama_outputs.job_ids);
  -- A batch has two or three types. The statements for the other types would cost as much as these.
  if 'write_outline' = any (v_types) then
    v_applied_ids := v_applied_ids || app.apply_outlines(v_fitting_ids);
  end if;
  if 'write_cast' = any (v_types) then
    v_applied_ids := v_applied_ids || app.apply_casts(v_fitting_ids);
  end if;
  if 'write_script' = any (v_types) then
    v_applied_ids := v_applied_ids || app.apply_scripts(v_fitting_ids);
  end if;
  if 'write_scene' = any (v_types) then
    v_applied_ids := v_applied_ids || app.apply_scenes(v_fitting_ids);
  end if;
  if 'draw_episode' = any (v_types) then
    v_applied_ids := v_applied_ids || app.apply_drawings(v_fitting_ids);
  end if;
  if v_types && '{generate_image,generate_video}'::text[] then
    v_applied_ids := v_applied_ids || app.apply_drama_media(v_fitting_ids);
    perform app.record_drama_media(apply_drama_outputs.job_ids);
  end if;

  update public.jobs as j
  set
    error_slug = 'output_not_taken',
    error_message = 'The drama did not store this output: it is malformed or too large, or its '
      'target was changed or deleted since.'
  where j.id = any (apply_drama_outputs.job_ids)
    and j.id <> all (v_applied_ids)
    -- Runs that make images or videos for something else belong to another product.
    and exists (select from app.drama_runs as r where r.run_id = j.root_id);
end
$$;

comment on function app.apply_drama_outputs(bigint[]) is
$$Callback on_completed: stores the outputs of steps in the dramas that their runs may write to.

A step whose output is not usable gets error_slug output_not_taken.$$;
