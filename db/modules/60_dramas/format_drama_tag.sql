-- app.format_drama_tag
create or replace function app.format_drama_tag(updated_at timestamptz)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (extract(epoch from format_drama_tag.updated_at) * 1000000)::bigint::text;
end
$$;

comment on function app.format_drama_tag(timestamptz) is
  'Returns the entity tag of a drama, without quotes: microseconds since 1970.';
