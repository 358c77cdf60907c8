-- app.queue_again
--
-- Called by   app.apply_results
-- Writes      job_queue; jobs, where clients have seen them running
create or replace function app.queue_again(
  job_ids bigint[],
  failures integer[],
  run_at timestamptz[],
  states jsonb[]
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update app.job_queue as q
  set
    status = 'queued',
    failures = a.failures,
    run_at = a.run_at,
    state = coalesce(a.state, q.state),
    worker_id = null,
    claimed_at = null
  from unnest(queue_again.job_ids, queue_again.failures, queue_again.run_at, queue_again.states)
    as a (id, failures, run_at, state)
  where q.job_id = any (array[a.id]);

  update public.jobs as j
  set status = 'queued'
  where j.id = any (queue_again.job_ids) and j.status <> 'queued';
  perform app.record_events(queue_again.job_ids, 'queued');
end
$$;

comment on function app.queue_again(bigint[], integer[], timestamptz[], jsonb[]) is
  'Puts running steps back into the queue, due at run_at. A null state keeps the one that was saved before.';

revoke execute on function app.queue_again(bigint[], integer[], timestamptz[], jsonb[]) from public;
