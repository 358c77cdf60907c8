-- app.set_drama_headers
create or replace function app.set_drama_headers(updated_at timestamptz)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform set_config(
    'response.headers',
    format(
      '[{"ETag": "\"%s\""}, {"Cache-Control": "private, %s"}, '
        '{"Content-Type": "application/json; charset=utf-8"}]',
      app.format_drama_tag(set_drama_headers.updated_at),
      -- As gate.pre_request sets it for a request with an API key.
      case when auth.jwt() -> 'api_key' is not null then 'no-store' else 'no-cache' end
    ),
    true
  );
end
$$;

comment on function app.set_drama_headers(timestamptz) is
  'Sets the response headers of an answer that is a drama: ETag, Cache-Control, Content-Type.';
