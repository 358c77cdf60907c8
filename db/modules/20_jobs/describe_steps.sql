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
    -- 4 MiB of outputs a batch: a thousand steps that wait for the same one would else carry it a thousand times.
    with sized as (
      select
        q.job_id,
        d.bytes,
        sum(d.bytes) over (order by q.priority, q.run_at, q.job_id) as total
      from app.job_queue as q
      join public.jobs as j on j.id = any (array[q.job_id])
      cross join lateral (
        select
          -- Of those that collect, the outputs are many rows: they are read in pages, too.
          case when bool_or(o.collects) then 1048577 else coalesce(sum(o.output_bytes), 0) end as bytes
        from public.jobs as o
        where o.id = any (j.depends_on) and o.status in ('completed', 'failed')
      ) as d
      where q.job_id = any (describe_steps.job_ids) and j.depends_on is not null
    ),
    paged as (
      select s.job_id
      from sized as s
      where s.bytes > 1048576 or s.total > 4194304
    )
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
          when q.job_id not in (select p.job_id from paged as p) then (
            select coalesce(
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
  'its children''s, or where they are over 1 MiB, or 4 MiB with those before it: to be read by worker.read_outputs.';

revoke execute on function app.describe_steps(bigint[]) from public;
