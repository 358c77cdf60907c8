-- worker.claim_orphaned_assets
--
-- Called by   worker task clean_orphaned_assets, which then deletes the objects and calls
--             worker.forget_assets
-- Writes      assets.status; asset_times; asset_bytes; asset_uploads.claimed_at
-- Locks       assets and their times, skipping locked rows; then reads which assets are shown
-- Why         the second step of worker.mark_orphaned_assets
create or replace function worker.claim_orphaned_assets("limit" integer)
  returns table (id uuid, object_key text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_before timestamptz := v_now - (select s.asset_grace from app.settings as s);
  -- A worker that claimed rows and has not confirmed them since has died, or its store is down.
  v_lost timestamptz := v_now - interval '10 minutes';
  v_ids uuid[];
  v_shown_ids uuid[];
  v_claimed integer;
begin
  perform app.require_read_committed();

  -- Orphans that are shown again become live, and the next round checks the orphans behind them.
  -- At most 20 rounds, so that a call stays short.
  for v_round in 1 .. 20 loop
    v_ids := array(
      select a.id
      from app.asset_times as t
      join public.assets as a on a.id = t.asset_id
      where t.status = 'orphaned' and t.status_at < v_before
      order by t.status_at
      limit claim_orphaned_assets."limit"
      for update skip locked
    );
    -- A statement of its own: its snapshot has what was committed before the locks were granted.
    v_shown_ids := app.find_shown_assets(v_ids);

    update public.assets as a
    set status = case when a.id = any (v_shown_ids) then 'live' else 'deleting' end
    where a.id = any (v_ids);

    update app.asset_times as t
    set
      used_at = case when t.asset_id = any (v_shown_ids) then v_now else t.used_at end,
      -- -infinity: the statement after the loop claims it.
      status_at = case when t.asset_id = any (v_shown_ids) then v_now else '-infinity' end,
      is_referenced = t.asset_id = any (v_shown_ids)
    where t.asset_id = any (v_ids);

    exit when cardinality(v_shown_ids) = 0;
  end loop;

  return query
  with due as (
    select a.id, a.object_key
    from app.asset_times as t
    join public.assets as a on a.id = t.asset_id
    where t.status = 'deleting' and t.status_at < v_lost
    order by t.status_at
    limit claim_orphaned_assets."limit"
    for update skip locked
  )
  update app.asset_times as t
  set status_at = v_now
  from due
  where t.asset_id = due.id
  returning due.id, due.object_key;
  get diagnostics v_claimed = row_count;

  return query
  with due as (
    select u.id
    from app.asset_uploads as u
    where u.started_at < v_before and (u.claimed_at is null or u.claimed_at < v_lost)
    order by u.started_at
    limit claim_orphaned_assets."limit" - v_claimed
    for update skip locked
  )
  update app.asset_uploads as u
  set claimed_at = v_now
  from due
  where u.id = due.id
  returning u.id, u.object_key;
end
$$;

comment on function worker.claim_orphaned_assets(integer) is
$$Claims orphans and broken uploads whose grace period is over, and returns the objects to delete.

limit: how many to claim, orphans first. Returns id and object_key. Call forget_assets with the ids
whose objects are deleted; the others are returned again after 10 minutes.$$;

grant execute on function worker.claim_orphaned_assets(integer) to worker;
