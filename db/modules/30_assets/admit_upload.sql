-- sidecar.admit_upload
--
-- Called by   sidecars of the release before sidecar.admit_file
-- Writes      rate_limits
-- Errors      PT429 rate_limited
-- Why         during an upgrade the old sidecar still runs; the next release drops this function
create or replace function sidecar.admit_upload(headers json)
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return (select a.max_bytes from sidecar.admit_file(admit_upload.headers) as a);
end
$$;

comment on function sidecar.admit_upload(json) is
  'Deprecated: call sidecar.start_upload. Counts an upload and returns the largest file, in bytes.';

grant execute on function sidecar.admit_upload(json) to sidecar;
