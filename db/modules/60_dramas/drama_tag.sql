-- app.drama_tag
create or replace function app.drama_tag(updated_at timestamptz)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (extract(epoch from drama_tag.updated_at) * 1000000)::bigint::text;
end
$$;

comment on function app.drama_tag(timestamptz) is 'A drama''s entity tag, without its quotes: microseconds since 1970.';
