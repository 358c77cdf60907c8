create or replace trigger _100_touch_updated_at
  before update on public.tools
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.hairstyles
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.colors
  for each row
  execute function app.tg__touch_updated_at();
