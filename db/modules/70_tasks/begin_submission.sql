-- app.tg_tasks__begin_submission
create or replace function app.tg_tasks__begin_submission()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform
    set_config('plinth.submitted_tasks', '0', true),
    set_config('plinth.submits_for', '', true);

  return null;
end
$$;

comment on function app.tg_tasks__begin_submission() is
  'Begins to count the tasks that a client inserts with one statement.';
