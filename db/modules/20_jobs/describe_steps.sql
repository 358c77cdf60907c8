-- app.describe_steps
create or replace function app.describe_steps(job_ids bigint[])
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_paged_ids bigint[] := '{}'::bigint[];
begin
  -- At most 4 MiB of outputs per batch, because 1,000 steps that depend on the same step would
  -- carry its output 1,000 times.
  if cardinality(describe_steps.job_ids) > 4 then
    v_paged_ids := array(
      select s.job_id
      from (
        select
          q.job_id,
          sum(
            (
              select coalesce(sum(d.output_bytes), 0)
              from public.jobs as d
              where d.id = any (j.depends_on) and d.status in ('completed', 'failed')
            )
          ) over (order by q.priority, q.run_at, q.job_id) as total
        from app.job_queue as q
        -- Index lookup even on an empty table: ADR 8.
        join public.jobs as j on j.id = any (array[q.job_id])
        where q.job_id = any (describe_steps.job_ids) and j.depends_on is not null
      ) as s
      where s.total > 4194304
    );
  end if;

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
        'losses', q.losses,
        'runs_alone', q.runs_alone,
        'now_ms', (extract(epoch from q.claimed_at) * 1000)::bigint,
        'fault', null,
        'timeout_ms', (extract(epoch from t.timeout) * 1000)::bigint,
        'max_output_bytes', t.max_output_bytes,
        'outputs', case
          when j.depends_on is null then '[]'
          when q.job_id <> all (v_paged_ids) then (
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
$$Returns claimed steps as worker.exchange_steps describes them, in the order in which they run.

outputs: [[path, value], …] of the steps that each step depends on. Null if one of them collects its
children, if the outputs are larger than 1 MiB, or if the batch would carry more than 4 MiB; the
worker then calls worker.read_outputs.$$;
