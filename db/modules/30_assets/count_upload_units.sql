-- app.count_upload_units
--
-- Why         an upload that costs more than the limit could never be admitted
create or replace function app.count_upload_units(bytes bigint)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select least(1 + count_upload_units.bytes / 262144, s.asset_uploads_per_minute)::integer
    from app.settings as s
  );
end
$$;

comment on function app.count_upload_units(bigint) is
  'Returns what an upload of this size costs its caller: one unit, and one more per 256 KiB.';
