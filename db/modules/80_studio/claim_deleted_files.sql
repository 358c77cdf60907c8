-- worker.claim_deleted_files
--
-- Called by   worker task remove_deleted_files
-- Writes      deleted_folders, generation_files
-- Locks       the claimed rows, with skip locked
-- Why         a claim is a lease: the claim sets the time of the next attempt, so no other call is
--             needed if the worker dies or Storage is down. The pauses grow to 6 hours
create or replace function worker.claim_deleted_files("limit" integer)
  returns table (id uuid, claim_id uuid, bucket text, prefix text)
  language sql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set jit = off
  set enable_seqscan = off
begin atomic
  with due_folders as (
    select d.user_id, d.bucket_id
    from app.deleted_folders as d
    where d.delete_at <= app.now()
    order by d.delete_at
    limit claim_deleted_files."limit"
    for update skip locked
  ),
  due_files as (
    select f.file_id
    from app.generation_files as f
    where f.delete_at <= app.now()
    order by f.delete_at
    limit claim_deleted_files."limit" - (select count(*) from due_folders)
    for update skip locked
  ),
  folders as (
    update app.deleted_folders as d
    set
      claim_id = gen_random_uuid(),
      attempts = d.attempts + 1,
      delete_at = app.now()
        + least(interval '10 minutes' * 2 ^ least(d.attempts, 10), interval '6 hours')
    from due_folders as x
    where d.user_id = x.user_id and d.bucket_id = x.bucket_id
    returning d.user_id, d.claim_id, d.bucket_id
  ),
  files as (
    update app.generation_files as f
    set
      claim_id = gen_random_uuid(),
      attempts = f.attempts + 1,
      delete_at = app.now()
        + least(interval '10 minutes' * 2 ^ least(f.attempts, 10), interval '6 hours')
    from due_files as x
    where f.file_id = x.file_id
    returning f.file_id, f.claim_id, f.user_id
  )
  select d.user_id, d.claim_id, d.bucket_id, d.user_id || '/'
  from folders as d
  union all
  select f.file_id, f.claim_id, 'generations', f.user_id || '/' || f.file_id
  from files as f;
end;

comment on function worker.claim_deleted_files(integer) is
$$Claims folders of deleted users, and files of deleted generations and of lost attempts, whose
objects are due for removal, for 10 minutes or longer.

Delete all objects of bucket whose keys begin with prefix, then call confirm_deleted_files.$$;

grant execute on function worker.claim_deleted_files(integer) to worker;
