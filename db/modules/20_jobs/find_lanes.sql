-- app.find_lanes
--
-- Called by   app.insert_steps
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

revoke execute on function app.find_lanes(uuid, text[]) from public;
