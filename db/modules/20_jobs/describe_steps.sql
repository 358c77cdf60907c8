-- app.describe_steps
--
-- Why         builds no more than it returns: at most 1 MiB of outputs per step, because a larger
--             output is read in pages, and 4 MiB per batch, because 1,000 steps that depend on the
--             same step would carry its output 1,000 times
create or replace function app.describe_steps(job_ids bigint[])
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    -- Not jsonb_agg, which takes 20 times as long for a state with some hundred texts.
    select to_jsonb(
      array_agg(
        jsonb_build_object(
          'id', s.job_id,
          'fence', s.fence,
          'run_id', s.run_id,
          'owner_id', s.owner_id,
          'key', s.key,
          'type', s.type,
          'input', s.input,
          'state', s.state,
          'failures', s.failures,
          'losses', s.losses,
          'runs_alone', s.runs_alone,
          'now_ms', (extract(epoch from s.claimed_at) * 1000)::bigint,
          'fault', case
            when s.bytes > s.max_input_bytes
              then app.describe_input_fault(s.bytes, s.max_input_bytes)
          end,
          'timeout_ms', (extract(epoch from s.timeout) * 1000)::bigint,
          'max_output_bytes', s.max_output_bytes,
          'buying_is_stopped',
          s.is_paid and (select g.buying_is_stopped from app.settings as g),
          'outputs', case
            when s.depends_on is null then '[]'
            when s.is_small and s.small_bytes <= 4194304 then (
              -- Aggregates in a subquery, because a subquery runs only in the branch that applies;
              -- an aggregate around this case would run for every step.
              select coalesce(
                to_jsonb(
                  array_agg(
                    jsonb_build_array(
                      array[d.key],
                      case d.status
                        when 'failed' then jsonb_build_object('error', d.error_slug)
                        else coalesce(d.output, 'null')
                      end
                    )
                  )
                ),
                '[]'
              )
              from public.jobs as d
              where d.id = any (s.depends_on) and d.status in ('completed', 'failed')
            )
          end
        )
        order by s.priority, s.run_at, s.job_id
      )
    )
    from (
      select
        q.job_id, q.fence, q.run_id, q.state, q.failures, q.losses, q.runs_alone, q.claimed_at,
        q.priority, q.run_at,
        j.owner_id, j.key, j.type, j.input, j.depends_on,
        t.timeout, t.max_output_bytes, t.max_input_bytes, t.is_paid,
        m.bytes,
        m.is_small,
        sum(m.bytes) filter (where m.is_small) over (order by q.priority, q.run_at, q.job_id)
          as small_bytes
      from app.job_queue as q
      -- Index lookups even on empty tables: ADR 16.
      join public.jobs as j on j.id = any (array[q.job_id])
      join public.job_types as t on t.name = any (array[j.type])
      -- Sizes first, because the outputs of all dependencies together may be larger than a jsonb
      -- can be.
      cross join lateral (
        select
          coalesce(sum(d.output_bytes), 0) as bytes,
          coalesce(sum(d.output_bytes), 0) <= least(1048576, t.max_input_bytes)
            and bool_or(d.collects) is not true as is_small
        from public.jobs as d
        where d.id = any (j.depends_on) and d.status in ('completed', 'failed')
      ) as m
      where q.job_id = any (describe_steps.job_ids)
    ) as s
  );
end
$$;

comment on function app.describe_steps(bigint[]) is
$$Returns claimed steps as worker.exchange_work describes them, in the order in which they run.

outputs: [[path, value], …] of the steps that each step depends on. Null if one of them collects its
children, if the outputs are larger than 1 MiB, or if the batch would carry more than 4 MiB; the
worker then calls worker.read_outputs. fault: { slug, message } if the outputs are larger than
job_types.max_input_bytes, so that the worker fails the step instead of running it; else null.
buying_is_stopped: the type is paid, and app.settings.buying_is_stopped is true.$$;
