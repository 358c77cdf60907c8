-- worker.claim_template_uploads, worker.confirm_template_claim, worker.forget_template_uploads
--
-- Called by   worker task sweep_template_uploads
-- Writes      template_uploads
-- Locks       its rows, passing over those that somebody holds
-- Why         between the two a version with the same paths can be neither uploaded nor published, so a delete that is
--             late meets no newer object
create or replace function worker.claim_template_uploads("limit" integer)
  returns table (storage_path text, claim_id uuid)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_claim_id uuid := gen_random_uuid();
begin
  perform app.require_read_committed();

  -- A draft that was being uploaded anew has its objects still.
  with kept as (
    select u.storage_path
    from app.template_uploads as u
    where u.started_at < v_now - interval '1 hour'
      and u.claimed_at is null
      and (
        exists (select from public.artifacts as a where a.storage_path = u.storage_path)
        or exists (select from public.prompts as p where p.storage_path = u.storage_path)
      )
    for update skip locked
  )
  delete from app.template_uploads as u
  using kept
  where u.storage_path = kept.storage_path;

  return query
  with leaving as (
    select u.storage_path
    from app.template_uploads as u
    where u.started_at < v_now - interval '1 hour'
      -- A worker that has claimed them and said no more has died, or the store has.
      and (u.claimed_at is null or u.claimed_at < v_now - interval '10 minutes')
    order by u.started_at, u.storage_path
    limit claim_template_uploads."limit"
    for update skip locked
  )
  update app.template_uploads as u
  set claimed_at = v_now, claim_id = v_claim_id
  from leaving
  where u.storage_path = leaving.storage_path
  returning u.storage_path, u.claim_id;
end
$$;

comment on function worker.claim_template_uploads(integer) is
  'Sets out to delete what publications have left that ended an hour ago or more without a version: returns the keys of '
  'the objects, limit at most. Ask confirm_template_claim before each delete, and tell forget_template_uploads when they '
  'are gone; what it is not told comes again.';

create or replace function worker.confirm_template_claim(storage_path text, claim_id uuid)
  returns boolean
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  update app.template_uploads as u
  set claimed_at = app.now()
  where u.storage_path = confirm_template_claim.storage_path and u.claim_id = confirm_template_claim.claim_id;

  return found;
end
$$;

comment on function worker.confirm_template_claim(text, uuid) is
  'Whether an object is this claim''s to delete, for ten minutes from now; false: another worker took it over meanwhile, and '
  'it may be published.';

create or replace function worker.forget_template_uploads(storage_paths text[], claim_id uuid)
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_forgotten integer;
begin
  -- Written by a late upload, which has said so since: that object may be there.
  update app.template_uploads as u
  set claimed_at = null, claim_id = null
  where u.storage_path = any (forget_template_uploads.storage_paths)
    and u.claim_id = forget_template_uploads.claim_id
    and u.started_at > u.claimed_at;

  delete from app.template_uploads as u
  where u.storage_path = any (forget_template_uploads.storage_paths)
    and u.claim_id = forget_template_uploads.claim_id;
  get diagnostics v_forgotten = row_count;

  return v_forgotten;
end
$$;

comment on function worker.forget_template_uploads(text[], uuid) is
  'Forgets uploads of this claim whose objects are gone from the store; returns how many. Safe to repeat.';

grant execute on function worker.claim_template_uploads(integer) to worker;
grant execute on function worker.confirm_template_claim(text, uuid) to worker;
grant execute on function worker.forget_template_uploads(text[], uuid) to worker;
