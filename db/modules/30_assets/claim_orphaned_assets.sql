-- worker.mark_orphaned_assets, worker.claim_orphaned_assets, worker.forget_assets
--
-- Called by   worker task clean_orphaned_assets: mark until nothing is left; claim, delete the objects, forget
-- Writes      assets.status, asset_uploads.claimed_at
-- Locks       assets, passing over those that somebody holds; then asks again what is shown
-- Why         an asset goes in two steps, each a grace period apart: live, orphaned, deleting. Uploading its bytes again
--             brings an orphan back; on one that is being deleted, they get a new asset with a new key.
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
    from public.assets as a
    where a.status = 'live' and a.used_at < v_before
    order by a.used_at
    limit mark_orphaned_assets."limit"
    for update skip locked
  );
  v_shown_ids := app.find_shown_assets(v_ids);

  update public.assets as a
  set
    -- What is shown goes to the end of the line, or it would be looked at for ever.
    used_at = case when a.id = any (v_shown_ids) then v_now else a.used_at end,
    status = case when a.id = any (v_shown_ids) then 'live' else 'orphaned' end,
    status_at = case when a.id = any (v_shown_ids) then a.status_at else v_now end
  where a.id = any (v_ids);

  return cardinality(v_ids);
end
$$;

comment on function worker.mark_orphaned_assets(integer) is
  'Looks through assets that nobody has uploaded for the grace period, limit at most, and marks as orphaned those that '
  'nothing shows; returns how many it looked through. Less than limit: that is all for now.';

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
  -- A worker that has claimed them and said no more has died, or the store has.
  v_lost timestamptz := v_now - interval '10 minutes';
  v_ids uuid[];
  v_shown_ids uuid[];
  v_claimed integer;
begin
  perform app.require_read_committed();

  -- Those that came to be shown again are passed over: there may be others behind them. Not all at once.
  for v_round in 1 .. 20 loop
    v_ids := array(
      select a.id
      from public.assets as a
      where a.status = 'orphaned' and a.status_at < v_before
      order by a.status_at
      limit claim_orphaned_assets."limit"
      for update skip locked
    );
    v_shown_ids := app.find_shown_assets(v_ids);

    update public.assets as a
    set
      used_at = case when a.id = any (v_shown_ids) then v_now else a.used_at end,
      status = case when a.id = any (v_shown_ids) then 'live' else 'deleting' end,
      -- So that the next statement takes it.
      status_at = case when a.id = any (v_shown_ids) then v_now else '-infinity' end
    where a.id = any (v_ids);

    exit when cardinality(v_shown_ids) = 0;
  end loop;

  return query
  with leaving as (
    select a.id
    from public.assets as a
    where a.status = 'deleting' and a.status_at < v_lost
    order by a.status_at
    limit claim_orphaned_assets."limit"
    for update skip locked
  )
  update public.assets as a
  set status_at = v_now
  from leaving
  where a.id = leaving.id
  returning a.id, a.object_key;
  get diagnostics v_claimed = row_count;

  return query
  with leaving as (
    select u.id
    from app.asset_uploads as u
    where u.started_at < v_before and (u.claimed_at is null or u.claimed_at < v_lost)
    order by u.started_at
    limit claim_orphaned_assets."limit" - v_claimed
    for update skip locked
  )
  update app.asset_uploads as u
  set claimed_at = v_now
  from leaving
  where u.id = leaving.id
  returning u.id, u.object_key;
end
$$;

comment on function worker.claim_orphaned_assets(integer) is
  'Sets out to delete orphans whose grace period is over, and what broken uploads may have left: returns those whose '
  'objects are to be deleted now, limit at most. Tell forget_assets when they are; what it is not told comes again after '
  '10 minutes.';

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
  'Deletes claimed assets whose objects are gone from the store; returns how many. Safe to repeat.';

grant execute on function worker.mark_orphaned_assets(integer) to worker;
grant execute on function worker.claim_orphaned_assets(integer) to worker;
grant execute on function worker.forget_assets(uuid[]) to worker;
