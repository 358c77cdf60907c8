-- app.tg_tasks__submit
--
-- Writes      task_owners; as app.submit_run
-- Errors      as app.submit_task; PT404 owner_not_found, PT409 correlation_id_taken,
--             task_exists, PT422 owner_missing, task_users_differ
-- Why         refuses tasks of several users in one request, because two such requests would lock
--             these users in different orders
create or replace function app.tg_tasks__submit()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_number integer := current_setting('plinth.submitted_tasks')::integer + 1;
  v_accepted record;
begin
  new.user_id := app.require_task_user(new.user_id);
  if v_number = 1 then
    perform set_config('plinth.submits_for', new.user_id::text, true);
  elsif current_setting('plinth.submits_for') <> new.user_id::text then
    perform app.fail(
      422,
      'task_users_differ',
      'The request has tasks of several users.',
      'Send one request for each user.'
    );
  end if;

  v_accepted := app.accept_task(new);
  if v_accepted.is_known then
    perform app.fail(
      409,
      'correlation_id_taken',
      'A task with this correlation_id exists.',
      'Read the task by its correlation_id, call submit_task, or send another correlation_id.'
    );
  end if;
  perform set_config('plinth.submitted_tasks', v_number::text, true);
  perform app.set_location(app.build_task_path((v_accepted.task).id), v_number = 1);

  return v_accepted.task;
end
$$;

comment on function app.tg_tasks__submit() is
  'Submits a task that a client inserts directly: POST /tasks { mandate, max_ticks }.';
