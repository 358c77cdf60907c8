-- app.tg_users__grant_first_period
--
-- Writes      credit_periods; as app.grant_periods
-- Locks       the new users, which no other transaction sees
create or replace function app.tg_users__grant_first_period()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  insert into app.credit_periods (user_id, next_at)
  select n.id, app.now()
  from new_users as n;
  perform app.grant_periods(array(select n.id from new_users as n));

  return null;
end
$$;

comment on function app.tg_users__grant_first_period() is
  'Gives new users the credits of the first period of their plan.';
