-- app.list_drama_parts
create or replace function app.list_drama_parts(drama json)
  returns table (path text, kind text, part json)
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return query
  with listed as (
    select p.path, p.kind, l.part, l.n
    from (
      values
        ('characters', 'character', list_drama_parts.drama -> 'characters'),
        ('episodes', 'episode', list_drama_parts.drama -> 'episodes')
    ) as p (path, kind, list)
    cross join lateral json_array_elements(
      case json_typeof(p.list) when 'array' then p.list else '[]' end
    ) with ordinality as l (part, n)
  )
  select '', 'drama', list_drama_parts.drama
  union all
  select format('%s[%s]: ', l.path, l.n - 1), l.kind, l.part
  from listed as l
  union all
  select format('%s[%s].scenes[%s]: ', l.path, l.n - 1, s.n - 1), 'scene', s.part
  from listed as l
  cross join lateral json_array_elements(
    case
      when json_typeof(l.part) <> 'object' then '[]'
      when json_typeof(l.part -> 'scenes') = 'array' then l.part -> 'scenes'
      else '[]'
    end
  ) with ordinality as s (part, n)
  where l.kind = 'episode';
end
$$;

comment on function app.list_drama_parts(json) is
$$Returns a drama and every character, episode and scene in it, each with its path and its kind.

path: begins a message about the part: 'episodes[0].scenes[1]: '; empty for the drama.$$;
