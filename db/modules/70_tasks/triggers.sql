create or replace trigger _010_begin_submission
  before insert on public.tasks
  for each statement
  when (current_user in ('authenticated', 'service_role'))
  execute function app.tg_tasks__begin_submission();

create or replace trigger _050_submit
  before insert on public.tasks
  for each row
  when (current_user in ('authenticated', 'service_role'))
  execute function app.tg_tasks__submit();

create or replace trigger _200_insert_states
  after insert on public.tasks
  referencing new table as new_tasks
  for each statement
  execute function app.tg_tasks__insert_states();

create or replace trigger _010_lock_tasks
  before update or delete on public.tasks
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg_tasks__lock_tasks();

create or replace trigger _040_refuse_arrow
  before update on public.tasks
  for each row
  when (
    old.status <> new.status
    and not case old.status
      when 'pending' then new.status in ('accepted', 'cancelled')
      when 'accepted' then new.status in ('started', 'completed', 'error', 'cancelled')
      when 'started' then new.status in (
        'in_progress', 'input_required', 'completed', 'error', 'cancelled'
      )
      when 'in_progress' then new.status in (
        'input_required', 'completed', 'error', 'cancelled'
      )
      when 'input_required' then new.status in (
        'in_progress', 'completed', 'error', 'cancelled'
      )
      when 'error' then new.status = 'pending'
      when 'cancelled' then new.status = 'pending'
      else false
    end
  )
  execute function app.tg_tasks__refuse_arrow();

create or replace trigger _050_check_change
  before update on public.tasks
  for each row
  when (current_user = 'authenticated')
  execute function app.tg_tasks__check_change();

create or replace trigger _100_touch_updated_at
  before update on public.tasks
  for each row
  execute function app.tg__touch_updated_at();

create or replace trigger _200_delete_runs
  after delete on public.tasks
  referencing old table as old_tasks
  for each statement
  execute function app.tg_tasks__delete_runs();

create or replace trigger _900_count_write
  after update or delete on public.tasks
  for each statement
  when (current_user = 'authenticated')
  execute function app.tg_tasks__count_write();

create or replace trigger _130_delete_tasks
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__delete_tasks();
