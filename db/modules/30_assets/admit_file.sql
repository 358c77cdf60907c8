-- sidecar.admit_file
--
-- Called by   sidecars of the release before sidecar.start_upload
-- Writes      rate_limits
-- Errors      PT429 rate_limited
-- Why         during an upgrade the old sidecar still runs; the next release drops this function
create or replace function sidecar.admit_file(headers json)
  returns table (max_bytes integer, too_large json)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return query
  select s.max_bytes, s.too_large
  from sidecar.find_uploader(admit_file.headers) as f
  cross join lateral sidecar.start_upload(f.caller, null) as s;
end
$$;

comment on function sidecar.admit_file(json) is
  'Deprecated: call sidecar.find_uploader and sidecar.start_upload. Counts an upload as one unit.';

grant execute on function sidecar.admit_file(json) to sidecar;
