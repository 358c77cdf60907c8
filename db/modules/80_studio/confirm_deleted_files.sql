-- worker.confirm_deleted_files
--
-- Called by   worker task remove_deleted_files, after it has deleted the objects
-- Writes      deleted_folders, generation_files
-- Idempotent  a claim that another worker has renewed changes nothing
-- Why         a deleted user's token is valid for up to an hour, and a signed URL for an upload for
--             2 hours, and Storage checks no policy for such an upload. So a folder is deleted
--             again after 3 hours
create or replace function worker.confirm_deleted_files(claims jsonb)
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_again integer;
  v_folders integer;
  v_files integer;
begin
  update app.deleted_folders as d
  set delete_at = d.deleted_at + interval '3 hours', attempts = 0, claim_id = null
  from jsonb_to_recordset(confirm_deleted_files.claims) as c (id uuid, bucket text, claim_id uuid)
  -- Index lookups even on empty tables: ADR 16.
  where d.user_id = any (array[c.id])
    and d.bucket_id = any (array[c.bucket])
    and d.claim_id = c.claim_id
    and app.now() < d.deleted_at + interval '3 hours';
  get diagnostics v_again = row_count;

  delete from app.deleted_folders as d
  using jsonb_to_recordset(confirm_deleted_files.claims) as c (id uuid, bucket text, claim_id uuid)
  where d.user_id = any (array[c.id])
    and d.bucket_id = any (array[c.bucket])
    and d.claim_id = c.claim_id;
  get diagnostics v_folders = row_count;

  delete from app.generation_files as f
  using jsonb_to_recordset(confirm_deleted_files.claims) as c (id uuid, claim_id uuid)
  where f.file_id = any (array[c.id])
    and f.claim_id = c.claim_id;
  get diagnostics v_files = row_count;

  return v_again + v_folders + v_files;
end
$$;

comment on function worker.confirm_deleted_files(jsonb) is
$$Records that the objects of claims are deleted. Returns how many claims the caller still held.

claims: [{ id, bucket, claim_id }], as claim_deleted_files returns them. A folder whose user was
deleted less than 3 hours ago becomes due again.$$;

grant execute on function worker.confirm_deleted_files(jsonb) to worker;
