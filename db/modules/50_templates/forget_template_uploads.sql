-- worker.forget_template_uploads
--
-- Called by   worker task sweep_template_uploads, after its deletes
-- Writes      template_uploads
-- Idempotent  yes
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
  -- A publisher that was given up announced these objects again after the claim, so they may exist:
  -- a later sweep deletes them.
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
$$Forgets objects of this claim that the worker has deleted from the store.

Returns how many were forgotten. Safe to repeat. Objects that a late publisher announced after
the claim are kept, and claimed again later.$$;

grant execute on function worker.forget_template_uploads(text[], uuid) to worker;
