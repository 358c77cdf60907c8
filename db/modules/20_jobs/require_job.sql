-- app.require_job
--
-- Errors      PT404 job_not_found
create or replace function app.require_job(job_id bigint)
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_root_id bigint;
begin
  select j.root_id into v_root_id
  from public.jobs as j
  where j.id = require_job.job_id
    and (j.owner_id = auth.uid() or auth.role() = 'service_role');
  if not found then
    perform app.fail(404, 'job_not_found', 'There is no such job.');
  end if;

  return v_root_id;
end
$$;

comment on function app.require_job(bigint) is
  'The root of a job that the caller may see: its owner, and service_role. 404 job_not_found for anyone else.';
