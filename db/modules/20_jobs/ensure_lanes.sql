-- app.ensure_lanes
--
-- Writes      lanes
-- Locks       new lanes, by type
-- Why         compares owners in two parts, because "is not distinct from" uses no index: a
--             submission would read the lanes of all owners. "offset 0": compares types last,
--             because the planner may otherwise read all lanes of a type (ADR 16)
create or replace function app.ensure_lanes(
  owner_id uuid,
  wanted text[],
  out types text[],
  out ids bigint[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  select array_agg(l.type), array_agg(l.id) into types, ids
  from (
    select o.type, o.id
    from app.lanes as o
    where o.owner_id = any (array[ensure_lanes.owner_id])
    union all
    select o.type, o.id
    from app.lanes as o
    where ensure_lanes.owner_id is null and o.owner_id is null
    offset 0
  ) as l
  where l.type = any (ensure_lanes.wanted);
  if cardinality(types) is not distinct from cardinality(ensure_lanes.wanted) then
    return;
  end if;

  insert into app.lanes (owner_id, type)
  select ensure_lanes.owner_id, h.type
  from unnest(ensure_lanes.wanted) as h (type)
  where types is null or h.type <> all (types)
  order by h.type
  on conflict on constraint lanes_owner_and_type_are_unique do nothing;

  select array_agg(l.type), array_agg(l.id) into types, ids
  from (
    select o.type, o.id
    from app.lanes as o
    where o.owner_id = any (array[ensure_lanes.owner_id])
    union all
    select o.type, o.id
    from app.lanes as o
    where ensure_lanes.owner_id is null and o.owner_id is null
    offset 0
  ) as l
  where l.type = any (ensure_lanes.wanted);
end
$$;

comment on function app.ensure_lanes(uuid, text[]) is
  'Returns the lanes of an owner for these types; inserts the lanes that are missing.';
