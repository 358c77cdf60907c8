-- app.ensure_lanes
--
-- Writes      lanes
-- Locks       new lanes, by type
-- Why         compares owners in two parts, because "is not distinct from" uses no index: a
--             submission would read the lanes of all owners
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
  from app.lanes as l
  where (
      l.owner_id = ensure_lanes.owner_id
      or (ensure_lanes.owner_id is null and l.owner_id is null)
    )
    and l.type = any (ensure_lanes.wanted);
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
  from app.lanes as l
  where (
      l.owner_id = ensure_lanes.owner_id
      or (ensure_lanes.owner_id is null and l.owner_id is null)
    )
    and l.type = any (ensure_lanes.wanted);
end
$$;

comment on function app.ensure_lanes(uuid, text[]) is
  'Returns the lanes of an owner for these types; inserts the lanes that are missing.';
