-- app.find_lanes
--
-- Writes      lanes, where the owner has none of a type
-- Locks       new lanes, by type
create or replace function app.find_lanes(owner_id uuid, wanted text[], out types text[], out ids bigint[])
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  select array_agg(l.type), array_agg(l.id) into types, ids
  from app.lanes as l
  where l.owner_id is not distinct from find_lanes.owner_id and l.type = any (find_lanes.wanted);
  if cardinality(types) is distinct from cardinality(find_lanes.wanted) then
    insert into app.lanes (owner_id, type)
    select find_lanes.owner_id, h.type
    from unnest(find_lanes.wanted) as h (type)
    where types is null or h.type <> all (types)
    order by h.type
    on conflict on constraint lanes_owner_and_type_are_unique do nothing;
    select array_agg(l.type), array_agg(l.id) into types, ids
    from app.lanes as l
    where l.owner_id is not distinct from find_lanes.owner_id and l.type = any (find_lanes.wanted);
  end if;
end
$$;

comment on function app.find_lanes(uuid, text[]) is 'The lanes of an owner for these types, made where they are missing.';

-- app.add_lanes
--
-- Writes      lanes
-- Locks       new lanes, by owner and type
create or replace function app.add_lanes(results jsonb)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  insert into app.lanes (owner_id, type)
  select distinct r.owner_id, t.name
  from jsonb_array_elements(add_lanes.results) as g (result)
  join app.job_queue as q on q.job_id = any (array[app.read_bigint(g.result -> 'id')])
  join app.runs as r on r.id = any (array[q.run_id])
  cross join lateral jsonb_path_query(g.result -> 'children', '$.**.type') as y (type)
  join public.job_types as t on t.name = any (array[y.type #>> '{}']) and t.has_handler
  where not exists (
    select from app.lanes as l
    where l.owner_id is not distinct from r.owner_id and l.type = t.name
  )
  order by r.owner_id, t.name
  on conflict on constraint lanes_owner_and_type_are_unique do nothing;
end
$$;

comment on function app.add_lanes(jsonb) is 'Makes the lanes that the children in these results need.';
