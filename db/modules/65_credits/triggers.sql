create or replace trigger _020_refuse_balance
  before insert on public.users
  for each row
  when (
    (new.credits, new.credits_held, new.credits_owed) is distinct from (0, 0, 0)
    and coalesce(current_setting('plinth.changes_credits', true), '') <> 'on'
  )
  execute function app.tg__refuse_credit_change();

create or replace trigger _021_refuse_balance_change
  before update of credits, credits_held, credits_owed on public.users
  for each row
  when (coalesce(current_setting('plinth.changes_credits', true), '') <> 'on')
  execute function app.tg__refuse_credit_change();

create or replace trigger _210_grant_first_period
  after insert on public.users
  referencing new table as new_users
  for each statement
  execute function app.tg_users__grant_first_period();

create or replace trigger _220_renew_period
  after update of plan_id on public.users
  for each row
  when (new.plan_id is distinct from old.plan_id)
  execute function app.tg_users__renew_period();

create or replace trigger _050_delete_credits
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__delete_credits();

create or replace trigger _020_refuse_change
  before insert or update or delete on public.credit_grants
  for each row
  when (coalesce(current_setting('plinth.changes_credits', true), '') <> 'on')
  execute function app.tg__refuse_credit_change();

create or replace trigger _021_refuse_truncate
  before truncate on public.credit_grants
  for each statement
  execute function app.tg__refuse_credit_change();

create or replace trigger _020_refuse_change
  before insert or update on public.credit_holds
  for each row
  when (coalesce(current_setting('plinth.changes_credits', true), '') <> 'on')
  execute function app.tg__refuse_credit_change();

-- A hold that has ended is history: app.delete_ended_holds deletes it.
create or replace trigger _021_refuse_delete
  before delete on public.credit_holds
  for each row
  when (old.status = 'open')
  execute function app.tg__refuse_credit_change();

create or replace trigger _022_refuse_truncate
  before truncate on public.credit_holds
  for each statement
  execute function app.tg__refuse_credit_change();

create or replace trigger _020_refuse_change
  before insert or update or delete on app.credit_hold_grants
  for each row
  when (coalesce(current_setting('plinth.changes_credits', true), '') <> 'on')
  execute function app.tg__refuse_credit_change();

create or replace trigger _021_refuse_truncate
  before truncate on app.credit_hold_grants
  for each statement
  execute function app.tg__refuse_credit_change();

create or replace trigger _020_refuse_insert
  before insert on public.credit_entries
  for each row
  when (coalesce(current_setting('plinth.changes_credits', true), '') <> 'on')
  execute function app.tg__refuse_credit_change();

-- Not even app.apply_credits changes an entry.
create or replace trigger _021_refuse_update
  before update on public.credit_entries
  for each row
  execute function app.tg_credit_entries__refuse_update();

create or replace trigger _022_refuse_delete
  before delete or truncate on public.credit_entries
  for each statement
  execute function app.tg__refuse_credit_change();
