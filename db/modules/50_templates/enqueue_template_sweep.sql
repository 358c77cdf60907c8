-- app.enqueue_template_sweep
--
-- Called by   schedule sweep-template-uploads
-- Writes      the queue: at most one job at a time, and none if there is nothing to delete
create or replace function app.enqueue_template_sweep()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if exists (
    select from app.template_uploads as u where u.started_at < app.now() - interval '1 hour'
  ) then
    perform app.enqueue('sweep_template_uploads', '{}', 'sweep_template_uploads');
  end if;

  return 0;
end
$$;

comment on function app.enqueue_template_sweep() is
  'Enqueues the worker task that deletes the objects of abandoned publications. Returns 0.';
