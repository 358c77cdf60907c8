-- app.describe_steps
--
-- Called by   app.claim_steps
create or replace function app.describe_steps(job_ids bigint[])
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select jsonb_agg(
      jsonb_build_object(
        'id', q.job_id,
        'fence', q.fence,
        'run_id', q.run_id,
        'owner_id', j.owner_id,
        'key', j.key,
        'type', j.type,
        'input', j.input,
        'state', q.state,
        'failures', q.failures,
        'timeout_ms', (extract(epoch from t.timeout) * 1000)::bigint,
        'max_output_bytes', t.max_output_bytes,
        'outputs', case
          when j.depends_on is null then '[]'
          when (select sum(d.output_bytes) from public.jobs as d where d.id = any (j.depends_on)) > 1048576 then null
          else (select jsonb_agg(jsonb_build_array(o.path, o.output)) from app.list_outputs(j.depends_on) as o)
        end
      )
      order by q.fence
    )
    from app.job_queue as q
    join public.jobs as j on j.id = any (array[q.job_id])
    join public.job_types as t on t.name = any (array[j.type])
    where q.job_id = any (describe_steps.job_ids)
  );
end
$$;

comment on function app.describe_steps(bigint[]) is
  'What handlers need of claimed steps. outputs: [[path, value], …] of what each depends on; null where that is over 1 MiB, '
  'to be read by worker.read_outputs.';

revoke execute on function app.describe_steps(bigint[]) from public;
