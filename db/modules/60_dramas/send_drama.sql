-- app.send_drama
create or replace function app.send_drama(updated_at timestamptz)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform set_config(
    'response.headers',
    format(
      '[{"ETag": "\"%s\""}, {"Cache-Control": "private, no-cache"}, {"Content-Type": "application/json; charset=utf-8"}]',
      app.drama_tag(send_drama.updated_at)
    ),
    true
  );
end
$$;

comment on function app.send_drama(timestamptz) is 'Sets the headers of an answer that is a drama.';

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
