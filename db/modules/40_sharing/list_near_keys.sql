-- app.list_near_keys
--
-- Why         unknown fields are kept, so a known field under a slightly other name would be kept
--             where no reader looks for it
create or replace function app.list_near_keys(keys text[], part text)
  returns table (key text, name text)
  language plpgsql
  immutable
  rows 1
  set search_path = ''
as $$
begin
  return query
  select k.key, n.name
  from unnest(list_near_keys.keys) with ordinality as k (key, position)
  join unnest(app.get_field_names(list_near_keys.part)) as n (name)
    on lower(translate(n.name, '_', '')) = lower(translate(k.key, '_- .', ''))
  where k.key <> all (app.get_field_names(list_near_keys.part))
  order by k.position;
end
$$;

comment on function app.list_near_keys(text[], text) is
$$Lists the keys that differ from the name of a field only in case, underscores or blanks.

part: as in app.get_field_names. name: the name that is meant. Hyphens and dots count as blanks.$$;
