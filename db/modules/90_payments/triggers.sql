create or replace trigger _100_touch_updated_at
  before update on public.orders
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _140_forget_payers
  before delete on public.users
  for each row
  execute function app.tg_users__forget_payer();
