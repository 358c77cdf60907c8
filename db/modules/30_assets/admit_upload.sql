-- sidecar.admit_upload
--
-- Called by   the sidecar, before it reads the body of an upload
-- Writes      rate_limits
-- Errors      PT429 rate_limited
create or replace function sidecar.admit_upload(headers json)
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_settings app.settings;
begin
  select * into v_settings from app.settings;

  -- Where PostgREST puts them: one rule says who calls.
  perform set_config('request.headers', coalesce(admit_upload.headers::text, '{}'), true);
  perform app.take_rate(
    'asset_uploads',
    app.caller_key(),
    v_settings.asset_uploads_per_minute,
    interval '1 minute'
  );

  return v_settings.asset_max_bytes;
end
$$;

comment on function sidecar.admit_upload(json) is
  'Takes an upload from the caller''s rate; returns how many bytes it may have. headers: those of the request, in lower case.';

grant execute on function sidecar.admit_upload(json) to sidecar;
