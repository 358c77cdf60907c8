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
