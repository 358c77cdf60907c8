-- app.end_tasks
--
-- Called by   the job engine, as on_run_ended of run_task
-- Writes      tasks; as app.close_task_states, app.admit_tasks
-- Locks       the users' rows of task_owners, then the tasks. The engine holds the runs
create or replace function app.end_tasks(run_ids bigint[])
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
  v_task_ids uuid[];
  v_user_ids uuid[];
begin
  select array_agg(t.id), array_agg(distinct t.user_id) into v_task_ids, v_user_ids
  from unnest(end_tasks.run_ids) as i (id)
  -- Index lookup even on an empty table: ADR 16.
  join public.tasks as t on t.run_id = any (array[i.id]);
  if v_user_ids is null then
    return;
  end if;

  perform app.lock_task_owners(v_user_ids);
  update public.tasks as t
  set
    status = e.status,
    tick = case
      when e.status = 'completed' and app.parse_bigint(e.output -> 'tick') is not null
        then greatest(t.tick, least(app.parse_bigint(e.output -> 'tick'), t.max_ticks)::integer)
      else t.tick
    end,
    result = case when e.status = 'completed' then e.output -> 'result' else t.result end
      - 'question',
    usage = case
      when e.status = 'completed' and jsonb_typeof(e.output -> 'usage') = 'object'
        then e.output -> 'usage'
      else t.usage
    end,
    error = e.error
  from (
    select
      i.id as run_id,
      j.output,
      case
        -- If the run was deleted, its job is open or deleted.
        when j.status is null or j.status not in ('completed', 'failed') then 'cancelled'
        when j.status = 'completed' and jsonb_typeof(j.output #> '{result,text}') = 'string'
          then 'completed'
        else 'error'
      end as status,
      case
        when j.status = 'failed' then app.describe_task_error(j.error_slug, j.error_message)
        when j.status = 'completed'
          and jsonb_typeof(j.output #> '{result,text}') is distinct from 'string'
        then app.describe_task_error('callback_failed', null)
      end as error
    from unnest(end_tasks.run_ids) as i (id)
    left join public.jobs as j on j.id = any (array[i.id])
  ) as e
  where t.run_id = any (array[e.run_id])
    and t.status in ('accepted', 'started', 'in_progress', 'input_required');

  perform app.close_task_states(v_task_ids);
  perform app.admit_tasks(v_user_ids);
end
$$;

comment on function app.end_tasks(bigint[]) is
$$Callback on_run_ended: ends the tasks of these runs, and admits the next pending tasks of their
users.

A completed run completes its task with the output of the run, { tick, result, usage }. A failed run
ends its task with status error and a message. A cancelled or deleted run cancels its task.$$;
