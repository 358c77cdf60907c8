-- app.sum_asset_bytes
create or replace function app.sum_asset_bytes(out stored bigint, out unreferenced bigint)
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  select sum(b.stored_bytes)::bigint, sum(b.unreferenced_bytes)::bigint
  into stored, unreferenced
  from app.asset_bytes as b;
end
$$;

comment on function app.sum_asset_bytes() is
$$Returns how many bytes all uploads and assets have, and those that nothing is known to refer to.

Unreferenced are uploads in progress, orphans, and live assets that the cleaner has not yet found
shown. So an asset that a card shows counts as unreferenced until the cleaner looks at it,
asset_grace after its upload.$$;
