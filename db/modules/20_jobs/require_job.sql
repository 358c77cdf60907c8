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
    perform app.fail(
      404, 'job_not_found', 'Job not found.', 'Use an id that table jobs shows to you.'
    );
  end if;

  return v_root_id;
end
$$;

comment on function app.require_job(bigint) is
$$Returns the root of a job, if the caller may see the job: its owner, or service_role.

404 job_not_found for everybody else.$$;
