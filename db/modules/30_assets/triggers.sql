-- Triggers fire in the order of their names.

create or replace trigger _100_insert_times
  after insert on public.assets
  for each row
  execute function app.tg_assets__insert_times();

create or replace trigger _100_update_times
  after update of status on public.assets
  for each row
  when (new.status is distinct from old.status)
  execute function app.tg_assets__update_times();

-- A trigger with transition tables has one event.
create or replace trigger _100_count_bytes_of_new
  after insert on app.asset_times
  referencing new table as new_rows
  for each statement
  execute function app.tg_asset_times__count_asset_bytes();

create or replace trigger _100_count_bytes_of_changed
  after update on app.asset_times
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function app.tg_asset_times__count_asset_bytes();

create or replace trigger _100_count_bytes_of_deleted
  after delete on app.asset_times
  referencing old table as old_rows
  for each statement
  execute function app.tg_asset_times__count_asset_bytes();

create or replace trigger _100_count_bytes_of_new
  after insert on app.asset_uploads
  referencing new table as new_rows
  for each statement
  execute function app.tg_asset_uploads__count_upload_bytes();

create or replace trigger _100_count_bytes_of_deleted
  after delete on app.asset_uploads
  referencing old table as old_rows
  for each statement
  execute function app.tg_asset_uploads__count_upload_bytes();
