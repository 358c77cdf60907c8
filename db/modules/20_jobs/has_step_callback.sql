-- app.has_step_callback
create or replace function app.has_step_callback(job_id bigint)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return exists (
    select
    from public.jobs as j
    join app.job_callbacks as c on c.type = j.type
    where j.id = has_step_callback.job_id
      and (c.on_completed is not null or c.on_rescheduled is not null)
  );
end
$$;

comment on function app.has_step_callback(bigint) is
$$Whether the type of a step registered on_completed or on_rescheduled.

False for an unknown step.$$;
