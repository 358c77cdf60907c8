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
