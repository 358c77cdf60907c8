-- app.format_page_end
create or replace function app.format_page_end(created_at timestamptz, id uuid)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (extract(epoch from format_page_end.created_at) * 1000000)::bigint
    || '_' || format_page_end.id;
end
$$;

comment on function app.format_page_end(timestamptz, uuid) is
  'Returns next of a page: created_at in microseconds since 1970, and id, of its last row.';
