-- app.export_my_data, public.export_my_data
--
-- Called by   clients
-- Writes      rate_limits
-- Errors      PT401 not_signed_in, PT403 api_key_not_allowed, PT413 export_too_large,
--             PT429 rate_limited, exports_are_busy, each with Retry-After
-- Locks       the advisory locks of the user's export and of one of the server's exports, without
--             waiting; the user's row of rate_limits
-- Why         An export needs several times its size as memory, so few run at the same time. It
--             counts at its end, so that the user's other requests do not wait for the rate.
create or replace function app.export_my_data()
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_session();
  v_settings app.settings;
  v_timeout interval := current_setting('statement_timeout')::interval;
  v_has_place boolean := false;
  v_export json;
begin
  perform app.require_writing();
  select s.* into v_settings
  from app.settings as s;
  perform app.require_rate(
    'exports', app.caller_key(), v_settings.exports_per_day, interval '1 day'
  );
  if app.try_request_slot('export of ' || v_user_id, 1) then
    for v_place in 1 .. v_settings.exports_at_once loop
      v_has_place := app.try_request_slot('exports', v_place);
      exit when v_has_place;
    end loop;
  end if;
  if not v_has_place then
    perform app.fail(
      429,
      'exports_are_busy',
      'This server is exporting other data at the moment.',
      'Try again in 10 s.',
      '{"Retry-After": "10"}'
    );
  end if;

  -- Before the timeout, which PostgREST would answer with 500.
  v_export := app.export_user_data(
    v_user_id,
    v_settings.export_max_bytes,
    case when v_timeout > '0' then app.clock() + v_timeout * 0.75 end
  );
  perform app.take_rate(
    'exports', app.caller_key(), v_settings.exports_per_day, interval '1 day'
  );
  perform set_config(
    'response.headers',
    '[{"Content-Type": "application/json; charset=utf-8"}, {"Cache-Control": "no-store"}]',
    true
  );

  return v_export;
end
$$;

comment on function app.export_my_data() is
  'Returns all data of the caller as one JSON document; see public.export_my_data.';

create or replace function public.export_my_data()
  returns public."*/*"
  language sql
  volatile
  set search_path = ''
return app.export_my_data();

comment on function public.export_my_data() is
$$Returns everything that this server stores about the caller, as one JSON document.

Keys: exported_at, and one for each kind of data: profile is an object; api_keys (without secrets),
notifications, jobs (runs and their steps), shares, dramas, media_days, tasks, task_days,
template_versions and further keys are lists, oldest first. The document does not contain files:
it has their URLs. A client must ignore keys that it does not know.
401 not_signed_in. 403 api_key_not_allowed: send the user's own token. 413 export_too_large: the
document would have more than 64 MiB, or take too long. 429 rate_limited: ten exports a day.
429 exports_are_busy: an export of this user, or two exports of others, are running.$$;

grant execute on function app.export_my_data() to anon, authenticated;
grant execute on function public.export_my_data() to anon, authenticated;
