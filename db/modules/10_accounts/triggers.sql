create or replace trigger _100_create_profile
  after insert on auth.users
  referencing new table as new_users
  for each statement
  execute function app.tg_users__create_profile();

create or replace trigger _100_touch_updated_at
  before update on public.users
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.plans
  for each row
  execute function app.tg__touch_updated_at();
