create or replace trigger _100_touch_updated_at
  before update on public.tools
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_require_consistency
  before insert or update on public.tools
  for each row
  execute function app.tg_tools__require_consistency();

create or replace trigger _300_raise_version
  before update on public.tools
  for each row
  execute function app.tg_tools__raise_version();

create or replace trigger _100_touch_updated_at
  before update on public.hairstyles
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.colors
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _010_lock_user
  before update or delete on public.generations
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg_generations__lock_user();

create or replace trigger _040_refuse_arrow
  before update on public.generations
  for each row
  when (old.status <> new.status and old.status <> 'pending')
  execute function app.tg_generations__refuse_arrow();

create or replace trigger _050_delete_traces
  before delete on public.generations
  for each row
  execute function app.tg_generations__delete_traces();

create or replace trigger _100_touch_updated_at
  before update on public.generations
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _140_record_deleted_folders
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__record_deleted_folders();

-- Only a database with Supabase Storage or its shim has storage.objects. An upload
-- with the service key has no owner_id, and so no limit.
do $$
begin
  if to_regclass('storage.objects') is not null then
    create or replace trigger _100_count_photo
      after insert or update of version on storage.objects
      for each row
      when (new.bucket_id = 'user_uploads' and new.owner_id is not null)
      execute function app.tg_objects__count_photo();
  end if;
end
$$;
