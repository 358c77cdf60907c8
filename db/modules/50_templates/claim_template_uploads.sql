-- worker.claim_template_uploads
--
-- Called by   worker task sweep_template_uploads
-- Writes      template_uploads
-- Locks       its rows, skipping locked ones
-- Why         between claim_template_uploads and forget_template_uploads nobody can upload or
--             publish a version with these paths, so a late delete cannot remove a newer object
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

  -- An abandoned upload that would have replaced a draft: the draft still has the objects.
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
  with abandoned as (
    select u.storage_path
    from app.template_uploads as u
    where u.started_at < v_now - interval '1 hour'
      -- After ten minutes the worker that claimed a row counts as dead, or its store as
      -- unreachable.
      and (u.claimed_at is null or u.claimed_at < v_now - interval '10 minutes')
    order by u.started_at, u.storage_path
    limit claim_template_uploads."limit"
    for update skip locked
  )
  update app.template_uploads as u
  set claimed_at = v_now, claim_id = v_claim_id
  from abandoned
  where u.storage_path = abandoned.storage_path
  returning u.storage_path, u.claim_id;
end
$$;

comment on function worker.claim_template_uploads(integer) is
$$Claims objects of abandoned publications for deletion.

An object is abandoned an hour after its upload announced or renewed it, if no version has it.
limit: the largest number of objects. Returns their storage paths and the id of this claim. Call
confirm_template_claim right before each delete, and forget_template_uploads after it; objects
that are not forgotten are claimed again.$$;

grant execute on function worker.claim_template_uploads(integer) to worker;
