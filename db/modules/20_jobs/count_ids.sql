-- app.count_ids
--
-- Why         a chain asks for the count of a single id, step after step: that case skips the query
create or replace function app.count_ids(inout ids bigint[], out times integer[])
  returns record
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if cardinality(count_ids.ids) = 1 then
    times := '{1}';
    return;
  end if;

  select array_agg(c.id), array_agg(c.times)
  into ids, times
  from (
    select u.id, count(*)::integer as times
    from unnest(count_ids.ids) as u (id)
    group by u.id
  ) as c;
end
$$;

comment on function app.count_ids(bigint[]) is
  'Returns each distinct id, and how many times it occurs in ids.';
