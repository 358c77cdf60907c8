-- app.add_asset_bytes
--
-- Writes      asset_bytes
-- Locks       the session's row of asset_bytes until commit, always after assets and uploads
-- Why         a session always adds to the same row, so that no two sessions can lock two rows in
--             different orders; few sessions share a row, so that they rarely wait
create or replace function app.add_asset_bytes(stored bigint, unreferenced bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if add_asset_bytes.stored <> 0 or add_asset_bytes.unreferenced <> 0 then
    update app.asset_bytes as b
    set
      stored_bytes = b.stored_bytes + add_asset_bytes.stored,
      unreferenced_bytes = b.unreferenced_bytes + add_asset_bytes.unreferenced
    where b.slot = pg_backend_pid() % 16;
  end if;
end
$$;

comment on function app.add_asset_bytes(bigint, bigint) is
$$Adds to the bytes of uploads and assets.

stored: the bytes of all uploads and assets. unreferenced: the bytes that nothing is known to refer
to. Negative numbers subtract.$$;
