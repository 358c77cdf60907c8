-- app.find_wake_in_ms
--
-- Why         reads at most 1,000 lanes; if there are more, the worker asks again within a second
create or replace function app.find_wake_in_ms(wanted_types text[])
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_lanes bigint;
  v_wake_ms bigint;
begin
  select
    coalesce(max(l.n), 0),
    ceil(
      extract(
        epoch from min(greatest(l.wake_at, l.not_before, app.now())) filter (
          where t.running_limit is distinct from 0
            and (t.owner_running_limit is null or app.count_running(l.id) < t.owner_running_limit)
        ) - app.now()
      ) * 1000
    )::bigint
  into v_lanes, v_wake_ms
  from (
    select l.id, l.type, l.wake_at, l.not_before, row_number() over () as n
    from app.lanes as l
    where l.wake_at < 'infinity'
      and (
        find_wake_in_ms.wanted_types is null
        or l.type = any (find_wake_in_ms.wanted_types)
      )
    limit 1000
  ) as l
  -- Index lookup even on an empty table: ADR 16.
  join public.job_types as t on t.name = any (array[l.type]);

  return case
    when v_lanes = 1000 then least(coalesce(v_wake_ms, 1000), 1000)
    else v_wake_ms
  end;
end
$$;

comment on function app.find_wake_in_ms(text[]) is
$$Returns in how many milliseconds the next step of these types is due.

0: now, or as soon as a limit has room. Null: no step is queued. wanted_types null: every type.$$;
