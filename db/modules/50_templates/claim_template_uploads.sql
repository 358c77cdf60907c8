-- worker.claim_template_uploads, worker.forget_template_uploads
--
-- Called by   worker task sweep_template_uploads
-- Writes      template_uploads
-- Locks       its rows, passing over those that somebody holds
-- Why         between the two a version with the same paths can be neither uploaded nor published, so a delete that is
--             late meets no newer object
create or replace function worker.claim_template_uploads("limit" integer)
  returns table (storage_path text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
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
  set claimed_at = v_now
  from leaving
  where u.storage_path = leaving.storage_path
  returning u.storage_path;
end
$$;

comment on function worker.claim_template_uploads(integer) is
  'Sets out to delete what publications have left that ended an hour ago or more without a version: returns the keys of '
  'the objects, limit at most. Tell forget_template_uploads when they are gone; what it is not told comes again.';

create or replace function worker.forget_template_uploads(storage_paths text[])
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_forgotten integer;
begin
  delete from app.template_uploads as u
  where u.storage_path = any (forget_template_uploads.storage_paths) and u.claimed_at is not null;
  get diagnostics v_forgotten = row_count;

  return v_forgotten;
end
$$;

comment on function worker.forget_template_uploads(text[]) is
  'Forgets claimed uploads whose objects are gone from the store; returns how many. Safe to repeat.';

revoke execute on function worker.claim_template_uploads(integer) from public;
revoke execute on function worker.forget_template_uploads(text[]) from public;
grant execute on function worker.claim_template_uploads(integer) to worker;
grant execute on function worker.forget_template_uploads(text[]) to worker;
