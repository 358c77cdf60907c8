-- sidecar.admit_file
--
-- Called by   the sidecar, before it reads the body of an upload
-- Writes      rate_limits
-- Errors      PT429 rate_limited
-- Why         the limit and the refusal come together, so that the sidecar can refuse a file while
--             it streams, and knows no sentence of its own
create or replace function sidecar.admit_file(headers json)
  returns table (max_bytes integer, too_large json)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_settings app.settings;
  v_refusal record;
begin
  select * into v_settings from app.settings;

  -- PostgREST sets the same variable, so app.caller_key finds the caller of either door.
  perform set_config('request.headers', coalesce(admit_file.headers::text, '{}'), true);
  perform app.take_rate(
    'asset_uploads',
    app.caller_key(),
    v_settings.asset_uploads_per_minute,
    interval '1 minute'
  );

  v_refusal := app.describe_asset_limit(v_settings.asset_max_bytes);
  max_bytes := v_settings.asset_max_bytes;
  too_large := json_build_object(
    'code', 'PT413',
    'details', 'asset_too_large',
    'message', v_refusal.message,
    'hint', v_refusal.hint
  );

  return next;
end
$$;

comment on function sidecar.admit_file(json) is
$$Counts an upload into the caller's rate, and returns what the sidecar needs to limit it.

headers: the headers of the request, with names in lower case. max_bytes: the largest file, in
bytes. too_large: the body of the answer to a larger file, { code, details, message, hint }.
429 rate_limited: the caller uploads too much.$$;

grant execute on function sidecar.admit_file(json) to sidecar;
