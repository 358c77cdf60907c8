-- app.is_empty_session
create or replace function app.is_empty_session(session json)
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return not exists (
    select
    from json_each(is_empty_session.session) as f
    where f.key not in ('background_url', 'cover_url', 'flow')
      and translate(left(f.value::text, 100), E' \t\r\n', '') not in ('null', '""', '[]', '{}')
  );
end
$$;

comment on function app.is_empty_session(json) is
$$Whether each field of a session is null, a blank text, or an empty list or object.

background_url, cover_url and flow do not count, because the answer sets them.$$;
