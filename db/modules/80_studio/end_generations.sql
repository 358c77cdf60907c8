-- app.end_generations
--
-- Called by   the job engine, as on_run_ended of process_image and analyze_face
-- Writes      generations, notifications; as app.release_holds, app.close_generations
-- Idempotent  skips generations that have ended
-- Locks       the users (app.release_holds), then generations, their details and files. The engine
--             holds the runs
create or replace function app.end_generations(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_ended_ids uuid[];
  v_notifications app.notification[];
begin
  perform app.release_holds(end_generations.run_ids);

  with ended as (
    update public.generations as g
    set
      status = case
        -- The job of a deleted run is open or deleted.
        when j.status is null or j.status not in ('completed', 'failed') then 'cancelled'
        else 'failed'
      end,
      error = case j.status
        when 'completed' then app.describe_generation_error('output_invalid', null)
        when 'failed' then app.describe_generation_error(j.error_slug, j.error_message)
      end
    from unnest(end_generations.run_ids) as i (id)
    -- Index lookups even on empty tables: ADR 16.
    join app.generation_details as d on d.run_id = any (array[i.id])
    left join public.jobs as j on j.id = any (array[i.id])
    where g.id = any (array[d.generation_id]) and g.status = 'pending'
    returning g.id, g.user_id, g.tool_key, g.kind, g.status, g.error
  )
  select
    array_agg(e.id),
    array_agg(
      (
        e.user_id,
        'generation_failed',
        case e.kind
          when 'image' then 'Your image could not be made'
          else 'Your analysis could not be made'
        end,
        e.error,
        jsonb_build_object('generation_id', e.id, 'tool_key', e.tool_key, 'kind', e.kind)
      )::app.notification
      order by e.id
    ) filter (where e.status = 'failed')
  into v_ended_ids, v_notifications
  from ended as e;
  if v_ended_ids is not null then
    perform app.close_generations(v_ended_ids);
    perform app.send_notifications(v_notifications);
  end if;
end
$$;

comment on function app.end_generations(bigint[]) is
$$Callback on_run_ended: releases the credits of these runs, and ends their pending generations.

A failed run fails its generation with a sentence for the user, and notifies the user. A completed
run whose output cannot be used does the same. A cancelled or deleted run cancels its generation.$$;
