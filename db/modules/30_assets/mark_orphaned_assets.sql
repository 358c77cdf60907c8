-- worker.mark_orphaned_assets
--
-- Called by   worker task clean_orphaned_assets, until it returns less than limit
-- Writes      assets.status; asset_times; asset_bytes
-- Locks       assets and their times, skipping locked rows; then reads which assets are shown
-- Why         the first of two steps, a grace period apart: live, orphaned, deleting. Uploading the
--             same bytes again revives an orphan. While an asset is being deleted, the same bytes
--             get a new asset with a new key.
create or replace function worker.mark_orphaned_assets("limit" integer)
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_before timestamptz := v_now - (select s.asset_grace from app.settings as s);
  v_ids uuid[];
  v_shown_ids uuid[];
begin
  perform app.require_read_committed();

  v_ids := array(
    select a.id
    from app.asset_times as t
    join public.assets as a on a.id = t.asset_id
    where t.status = 'live' and t.used_at < v_before
    order by t.used_at
    limit mark_orphaned_assets."limit"
    for update skip locked
  );
  -- A statement of its own: its snapshot has what was committed before the locks were granted.
  v_shown_ids := app.find_shown_assets(v_ids);

  update app.asset_times as t
  set
    -- A shown asset goes to the end of the queue; otherwise every run would check it again.
    used_at = v_now,
    is_referenced = true
  where t.asset_id = any (v_shown_ids);

  update public.assets as a
  set status = 'orphaned'
  where a.id = any (v_ids) and not a.id = any (v_shown_ids);

  return cardinality(v_ids);
end
$$;

comment on function worker.mark_orphaned_assets(integer) is
$$Marks assets as orphaned that no row shows and whose last upload is older than the grace period.

limit: how many assets to check. Returns the number of checked assets; a number below limit means
that no more assets are due. Safe to repeat.$$;

grant execute on function worker.mark_orphaned_assets(integer) to worker;
