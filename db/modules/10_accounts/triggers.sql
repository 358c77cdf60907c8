create or replace trigger _100_touch_updated_at
  before update on public.users
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.plans
  for each row
  execute function app.tg__touch_updated_at();
