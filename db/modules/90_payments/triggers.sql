create or replace trigger _100_touch_updated_at
  before update on public.orders
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _010_refuse_ambiguous_ids
  before insert or update of paymob_integration_ids on app.settings
  for each row
  execute function app.tg_settings__refuse_ambiguous_ids();

create or replace trigger _140_forget_payers
  before delete on public.users
  for each row
  execute function app.tg_users__forget_payer();
