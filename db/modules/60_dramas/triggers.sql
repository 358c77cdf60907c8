create or replace trigger _050_generate
  before insert on public.dramas
  for each row
  when (current_user in ('authenticated', 'service_role'))
  execute function app.tg_dramas__generate();

create or replace trigger _200_record_run
  after insert on public.dramas
  for each row
  when (new.run_id is not null)
  execute function app.tg_dramas__record_run();

create or replace trigger _300_record_deleted_media
  after delete on public.dramas
  referencing old table as old_dramas
  for each statement
  execute function app.tg_dramas__record_deleted_media();

create or replace trigger _100_touch_updated_at
  before update on public.dramas
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.drama_characters
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_touch_dramas
  after insert on public.drama_characters
  referencing new table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

create or replace trigger _210_touch_dramas
  after update on public.drama_characters
  referencing new table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

create or replace trigger _220_touch_dramas
  after delete on public.drama_characters
  referencing old table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

create or replace trigger _100_touch_updated_at
  before update on public.episodes
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_touch_dramas
  after insert on public.episodes
  referencing new table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

create or replace trigger _210_touch_dramas
  after update on public.episodes
  referencing new table as changed_rows
  for each statement
  when (current_user <> 'authenticated')
  execute function app.tg__touch_dramas();

create or replace trigger _220_touch_dramas
  after delete on public.episodes
  referencing old table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

-- Edits by the owner. Functions, which save whole documents, do this work themselves. An edit
-- raises the version before the row is written, because PostgREST does not send a header that a
-- later trigger sets.
create or replace trigger _010_lock_edits
  before update on public.episodes
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg__lock_edits();

create or replace trigger _050_check_edit
  before update on public.episodes
  for each row
  when (current_user = 'authenticated')
  execute function app.tg__check_edit('episode');

create or replace trigger _300_pack_edits
  after update on public.episodes
  referencing new table as changed_rows
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg__pack_edits();

create or replace trigger _100_touch_updated_at
  before update on public.scenes
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_touch_dramas
  after insert on public.scenes
  referencing new table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

create or replace trigger _210_touch_dramas
  after update on public.scenes
  referencing new table as changed_rows
  for each statement
  when (current_user <> 'authenticated')
  execute function app.tg__touch_dramas();

create or replace trigger _220_touch_dramas
  after delete on public.scenes
  referencing old table as changed_rows
  for each statement
  execute function app.tg__touch_dramas();

-- Edits by the owner. Functions, which save whole documents, do this work themselves. An edit
-- raises the version before the row is written, because PostgREST does not send a header that a
-- later trigger sets.
create or replace trigger _010_lock_edits
  before update on public.scenes
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg__lock_edits();

create or replace trigger _050_check_edit
  before update on public.scenes
  for each row
  when (current_user = 'authenticated')
  execute function app.tg__check_edit('scene');

create or replace trigger _300_pack_edits
  after update on public.scenes
  referencing new table as changed_rows
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg__pack_edits();

create or replace trigger _110_delete_dramas
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__delete_dramas();

create or replace trigger _120_delete_media_days
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__delete_media_days();

-- Postgres cannot replace a constraint trigger.
drop trigger if exists _100_count_total on app.media_reservations;
create constraint trigger _100_count_total
  after insert on app.media_reservations
  deferrable initially deferred
  for each row
  execute function app.tg_media_reservations__count_total();
