-- app.tg_plans__keep_free_plan
--
-- Errors      PT409 plan_protected
-- Why         users.plan_id has the default free, so without this plan no new user would get a
--             profile. The foreign key protects the plan only while a user has it
create or replace function app.tg_plans__keep_free_plan()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'plan_protected',
    'Plan free cannot be deleted or renamed, because every new user gets it.',
    'Change its values, for example credits_per_period.'
  );
  return null;
end
$$;

comment on function app.tg_plans__keep_free_plan() is
  'Refuses to delete or rename the plan of new users: 409 plan_protected.';
