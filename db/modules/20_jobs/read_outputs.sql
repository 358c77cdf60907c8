-- worker.read_outputs
--
-- Called by   the worker, for a step that worker.exchange_work returned without outputs
-- Errors      PT409 step_lost, PT422 input_too_large
create or replace function worker.read_outputs(
  job_id bigint,
  fence bigint,
  after_id bigint default 0
)
  returns jsonb
  language plpgsql
  stable
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_ids bigint[];
  v_max_bytes integer;
  v_bytes bigint;
begin
  select coalesce(j.depends_on, '{}'), t.max_input_bytes
  into v_ids, v_max_bytes
  from app.job_queue as q
  -- Index lookups even on empty tables: ADR 16.
  join public.jobs as j on j.id = any (array[q.job_id])
  join public.job_types as t on t.name = any (array[j.type])
  where q.job_id = read_outputs.job_id
    and q.fence = read_outputs.fence
    and q.worker_id is not null;
  if not found then
    perform app.fail(
      409,
      'step_lost',
      'The worker no longer holds this step.',
      'Abort the handler of the step, because its result would be refused.'
    );
  end if;

  -- A worker of the last release does not know the fault of a claimed step, and reads its outputs.
  select sum(j.output_bytes) into v_bytes
  from public.jobs as j
  where j.id = any (v_ids) and j.status in ('completed', 'failed');
  if v_bytes > v_max_bytes then
    perform app.fail(
      422,
      'input_too_large',
      app.describe_input_fault(v_bytes, v_max_bytes) ->> 'message',
      'Fail the step permanently with this slug.'
    );
  end if;

  return (
    with listed as (
      select
        o.id,
        o.path,
        o.size,
        sum(o.size) over (order by o.id) - o.size as before,
        max(o.id) over () as last_id
      from app.list_outputs(v_ids, read_outputs.after_id) as o
    ),
    page as (
      select l.id, l.path, l.last_id
      from listed as l
      -- At least one output, however large, or the next page would be the same.
      where l.before = 0 or l.before + l.size <= 1048576
      order by l.id
      limit 10000
    )
    select jsonb_build_object(
      'outputs', coalesce(
        jsonb_agg(
          jsonb_build_array(
            p.path,
            case j.status
              when 'failed' then jsonb_build_object('error', j.error_slug)
              else coalesce(j.output, case when j.collects then '{}' else 'null' end::jsonb)
            end
          )
          order by p.id
        ),
        '[]'
      ),
      'after_id', nullif(max(p.id), max(p.last_id))
    )
    from page as p
    -- Index lookup even on an empty table: ADR 16.
    join public.jobs as j on j.id = any (array[p.id])
  );
end
$$;

comment on function worker.read_outputs(bigint, bigint, bigint) is
$$Returns a page of the outputs that a running step depends on.

Returns { outputs: [[path, value], …], after_id }: at most 1 MiB of outputs, or one larger output.
path: the key of the step, and below a step that collects, the keys of its children. value: the
output, or { error: slug } of a failed step. Call it again with after_id until after_id is null.
409 step_lost. 422 input_too_large: the outputs have more bytes than job_types.max_input_bytes. Only
for workers.$$;

grant execute on function worker.read_outputs(bigint, bigint, bigint) to worker;
