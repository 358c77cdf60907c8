-- app.run_callbacks
--
-- Writes      the rows that the callbacks write; callback_faults
-- Errors      JC001, if an on_completed or on_rescheduled raises
-- Locks       the rows that the callbacks lock; the caller holds the runs, and wakes lanes only
--             after this call, because clients lock the rows of a product before lanes
-- Why         calls each function once, in a fixed order, so that it can lock rows of several steps
--             lowest id first
create or replace function app.run_callbacks(
  completed_ids bigint[],
  rescheduled_ids bigint[],
  ended_ids bigint[]
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
begin
  for v_one in
    select c.place, c.callback, array_agg(c.id order by c.id) as ids
    from (
      select
        t.place,
        t.id,
        case t.place
          when 1 then k.on_completed
          when 2 then k.on_rescheduled
          else k.on_run_ended
        end as callback
      from (
        select 1 as place, unnest(run_callbacks.completed_ids) as id
        union all
        select 2, unnest(run_callbacks.rescheduled_ids)
        union all
        select 3, unnest(run_callbacks.ended_ids)
      ) as t
      -- Index lookup even on an empty table: ADR 16.
      join public.jobs as j on j.id = any (array[t.id])
      join app.job_callbacks as k on k.type = any (array[j.type])
    ) as c
    where c.callback is not null
    group by c.place, c.callback
    order by c.place, c.callback
  loop
    if v_one.place = 3 then
      perform app.call_run_ended(v_one.callback, v_one.ids);
    else
      perform app.call_callback(v_one.callback, v_one.ids);
    end if;
  end loop;
end
$$;

comment on function app.run_callbacks(bigint[], bigint[], bigint[]) is
$$Calls the callbacks that products registered for these steps and runs.

completed_ids: steps whose own work is done. rescheduled_ids: steps that rescheduled themselves.
ended_ids: roots whose run ended.$$;
