-- app.require_running_list
--
-- Errors      PT422 results_invalid
create or replace function app.require_running_list(worker_id uuid, running jsonb)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if jsonb_typeof(require_running_list.running) is distinct from 'array'
    or require_running_list.worker_id is null
  then
    perform app.fail(
      422,
      'results_invalid',
      'worker_id is missing, or running is not a JSON array.',
      'Send the id of the worker and an array of { id, fence, progress }.'
    );
  end if;
end
$$;

comment on function app.require_running_list(uuid, jsonb) is
  'Refuses the call of a worker without an id, or with a list of steps that is not an array.';
