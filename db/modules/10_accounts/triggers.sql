create or replace trigger _100_touch_updated_at
  before update on public.users
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.plans
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _010_keep_free_plan
  before delete on public.plans
  for each row
  when (old.id = 'free')
  execute function app.tg_plans__keep_free_plan();

create or replace trigger _011_keep_free_plan_id
  before update of id on public.plans
  for each row
  when (old.id = 'free' and new.id <> 'free')
  execute function app.tg_plans__keep_free_plan();

create or replace trigger _100_touch_updated_at
  before update on public.credit_packs
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_delete_user_rates
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__delete_user_rates();

create or replace trigger _200_delete_key_rates
  after delete on public.api_keys
  referencing old table as old_keys
  for each statement
  execute function app.tg_api_keys__delete_key_rates();
