-- worker.confirm_template_claim
--
-- Called by   worker task sweep_template_uploads, right before each delete
-- Writes      template_uploads
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
  where u.storage_path = confirm_template_claim.storage_path
    and u.claim_id = confirm_template_claim.claim_id;

  return found;
end
$$;

comment on function worker.confirm_template_claim(text, uuid) is
$$Returns whether this claim still covers an object, and renews the claim for ten minutes.

False: do not delete the object, because another worker has claimed it since, and it may be
published again.$$;

grant execute on function worker.confirm_template_claim(text, uuid) to worker;
