-- Firing order: _100 before _200 before _300.

create or replace trigger _100_touch_updated_at
  before update on public.templates
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _100_touch_updated_at
  before update on public.template_versions
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_protect
  before update on public.templates
  for each row
  execute function app.tg_templates__protect_name();

create or replace trigger _200_protect
  before insert or update or delete on public.template_versions
  for each row
  execute function app.tg_template_versions__protect_version();

create or replace trigger _200_protect
  before insert or update or delete on public.artifacts
  for each row
  execute function app.tg__protect_template_files();

create or replace trigger _200_protect
  before insert or update or delete on public.prompts
  for each row
  execute function app.tg__protect_template_files();

create or replace trigger _100_refuse_truncate
  before truncate on public.template_versions
  for each statement
  execute function app.tg__refuse_truncate();

create or replace trigger _100_refuse_truncate
  before truncate on public.artifacts
  for each statement
  execute function app.tg__refuse_truncate();

create or replace trigger _100_refuse_truncate
  before truncate on public.prompts
  for each statement
  execute function app.tg__refuse_truncate();

create or replace trigger _300_leave_objects
  after delete on public.artifacts
  referencing old table as gone
  for each statement
  execute function app.tg__leave_template_objects();

create or replace trigger _300_leave_objects
  after delete on public.prompts
  referencing old table as gone
  for each statement
  execute function app.tg__leave_template_objects();
