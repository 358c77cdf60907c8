-- sidecar.start_upload
--
-- Called by   the sidecar, before it reads the body of an upload
-- Writes      rate_limits
-- Errors      PT429 rate_limited
-- Why         counts the bytes that the client announces before they are received. Returns the
--             limit together with its refusal, so that the sidecar can refuse a file while it
--             streams, without a message of its own.
create or replace function sidecar.start_upload(caller text, announced_bytes bigint)
  returns table (max_bytes integer, too_large json, units integer)
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

  -- The sidecar refuses a larger form at once, without reading it.
  units := case
    when start_upload.announced_bytes between 1 and v_settings.asset_max_bytes + 131072
      then app.count_upload_units(start_upload.announced_bytes)
    else 1
  end;
  perform app.take_rate(
    'asset_uploads',
    start_upload.caller,
    v_settings.asset_uploads_per_minute,
    interval '1 minute',
    units
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

comment on function sidecar.start_upload(text, bigint) is
$$Counts an upload into the caller's rate, and returns what the sidecar needs to limit it.

caller: from find_uploader. announced_bytes: the Content-Length of the form, or null. max_bytes: the
largest file, in bytes. too_large: the body of the answer to a larger file, { code, details,
message, hint }. units: what the upload has cost so far, for reserve_upload.
429 rate_limited: the caller uploads too much.$$;

grant execute on function sidecar.start_upload(text, bigint) to sidecar;
