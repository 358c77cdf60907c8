-- app.ensure_child_lanes
--
-- Writes      lanes
-- Locks       new lanes, by owner and type
-- Why         inserts the lanes of a whole batch at once, so that two batches insert lanes in the
--             same order
create or replace function app.ensure_child_lanes(results jsonb)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  insert into app.lanes (owner_id, type)
  -- Each type once before the join with job_types: a plan may read all children for each job type.
  with wanted as materialized (
    select distinct r.owner_id, y.type #>> '{}' as type
    from jsonb_array_elements(ensure_child_lanes.results) as g (result)
    -- Index lookup even on an empty table: ADR 16.
    join app.job_queue as q on q.job_id = any (array[app.parse_bigint(g.result -> 'id')])
    join app.runs as r on r.id = any (array[q.run_id])
    cross join lateral jsonb_path_query(g.result -> 'children', '$.**.type') as y (type)
  )
  select w.owner_id, t.name
  from wanted as w
  join public.job_types as t on t.name = any (array[w.type]) and t.has_handler
  where not exists (
    select
    from app.lanes as l
    -- In two parts, because "is not distinct from" uses no index.
    where (l.owner_id = w.owner_id or (w.owner_id is null and l.owner_id is null))
      and l.type = t.name
  )
  order by w.owner_id, t.name
  on conflict on constraint lanes_owner_and_type_are_unique do nothing;
end
$$;

comment on function app.ensure_child_lanes(jsonb) is
  'Inserts the lanes that are missing for the children in these results.';
