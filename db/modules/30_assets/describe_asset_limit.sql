-- app.describe_asset_limit
--
-- Why         two doors refuse a file that is too large: sidecar.admit_file before its bytes are
--             there, sidecar.reserve_asset after
create or replace function app.describe_asset_limit(
  max_bytes integer,
  out message text,
  out hint text
)
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  message := format('The file has more than %s bytes.', describe_asset_limit.max_bytes);
  hint := 'Send a smaller file.';
end
$$;

comment on function app.describe_asset_limit(integer) is
  'Returns the message and the hint of error 413 asset_too_large.';
