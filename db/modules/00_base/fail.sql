-- app.fail
--
-- Errors      PT<status>; with headers PGRST, from which PostgREST makes the same answer and also
--             sends the headers
create or replace function app.fail(
  status integer,
  slug text,
  message text,
  hint text,
  headers jsonb default null
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  -- The message may quote the request. PostgREST sends it in the status line, which a line break
  -- would end.
  v_message text := regexp_replace(fail.message, '[[:cntrl:]]+', ' ', 'g');
begin
  if fail.headers is not null then
    raise exception using
      errcode = 'PGRST',
      message = json_build_object(
        'code', format('PT%s', fail.status),
        'message', v_message,
        'details', fail.slug,
        'hint', fail.hint
      )::text,
      detail = json_build_object('status', fail.status, 'headers', fail.headers)::text;
  end if;

  raise exception using
    errcode = format('PT%s', fail.status),
    message = v_message,
    detail = fail.slug,
    hint = fail.hint;
end
$$;

comment on function app.fail(integer, text, text, text, jsonb) is
  'Refuses the request: HTTP status, stable slug (docs/errors.md), what is wrong in one sentence,'
  ' the next step, and extra response headers.';
