-- app.require_room
--
-- Errors      PT503 store_full with Retry-After
-- Why         it locks nothing, so uploads at the same moment may pass the limit by their own bytes
create or replace function app.require_room(bytes bigint)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_sums record := app.sum_asset_bytes();
  v_settings app.settings;
begin
  select * into v_settings from app.settings;

  if v_sums.unreferenced + require_room.bytes > v_settings.unreferenced_bytes_max
    or v_sums.stored + require_room.bytes > v_settings.asset_bytes_max
  then
    perform app.fail(
      503,
      'store_full',
      'The store has no room for new files at the moment.',
      'Try again in ten minutes. Files that nothing shows are deleted after some hours.',
      jsonb_build_object('Retry-After', '600')
    );
  end if;
end
$$;

comment on function app.require_room(bigint) is
  'Refuses bytes that would pass unreferenced_bytes_max or asset_bytes_max with 503 store_full.';
