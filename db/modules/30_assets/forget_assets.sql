-- worker.forget_assets
--
-- Called by   worker task clean_orphaned_assets, after it deleted the objects
-- Writes      deletes from assets and asset_uploads
-- Idempotent  rows that are not claimed, or gone, are left alone
create or replace function worker.forget_assets(ids uuid[])
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_assets integer;
  v_uploads integer;
begin
  delete from public.assets as a
  where a.id = any (forget_assets.ids) and a.status = 'deleting';
  get diagnostics v_assets = row_count;

  delete from app.asset_uploads as u
  where u.id = any (forget_assets.ids) and u.claimed_at is not null;
  get diagnostics v_uploads = row_count;

  return v_assets + v_uploads;
end
$$;

comment on function worker.forget_assets(uuid[]) is
$$Deletes the rows of claimed assets and uploads whose objects are gone from the store.

ids: from claim_orphaned_assets. Returns how many rows it deleted. Safe to repeat.$$;

grant execute on function worker.forget_assets(uuid[]) to worker;
