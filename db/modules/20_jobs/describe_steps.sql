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
          else (
            select
              case
                when sum(d.output_bytes) > 1048576 or bool_or(d.collects) then null
                else coalesce(
                  jsonb_agg(
                    jsonb_build_array(
                      array[d.key],
                      case d.status
                        when 'failed' then jsonb_build_object('error', d.error_slug)
                        else coalesce(d.output, 'null')
                      end
                    )
                  ),
                  '[]'
                )
              end
            from public.jobs as d
            where d.id = any (j.depends_on) and d.status in ('completed', 'failed')
          )
        end
      )
      order by q.priority, q.run_at, q.job_id
    )
    from app.job_queue as q
    join public.jobs as j on j.id = any (array[q.job_id])
    join public.job_types as t on t.name = any (array[j.type])
    where q.job_id = any (describe_steps.job_ids)
  );
end
$$;

comment on function app.describe_steps(bigint[]) is
  'What handlers need of claimed steps. outputs: [[path, value], …] of what each depends on; null where one collects '
  'its children''s, or where they are over 1 MiB: to be read by worker.read_outputs.';

revoke execute on function app.describe_steps(bigint[]) from public;
