-- app.hash_task_request
create or replace function app.hash_task_request(mandate text, max_ticks integer)
  returns bytea
  language sql
  immutable
  set search_path = ''
return app.hash_request(
  'submit_task', jsonb_build_object('mandate', mandate, 'max_ticks', max_ticks)
);

comment on function app.hash_task_request(text, integer) is
  'Returns the hash of a request for a new task, by submit_task or by an insert into tasks.';
