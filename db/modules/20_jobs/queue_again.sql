-- app.queue_again
--
-- Writes      job_queue; jobs, where clients have seen them running, or they have failed, or say how far they are
create or replace function app.queue_again(
  job_ids bigint[],
  failures integer[],
  delays integer[],
  run_at timestamptz[],
  progress real[],
  states jsonb[],
  slugs text[],
  messages text[]
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
    delays = a.delays,
    run_at = a.run_at,
    state = coalesce(a.state, q.state),
    worker_id = null,
    claimed_at = null
  from unnest(
    queue_again.job_ids, queue_again.failures, queue_again.delays, queue_again.run_at, queue_again.states
  ) as a (id, failures, delays, run_at, state)
  where q.job_id = any (array[a.id]);

  -- What went wrong stays visible until it goes well.
  update public.jobs as j
  set
    status = 'queued',
    progress = greatest(j.progress, a.progress),
    error_slug = coalesce(a.slug, j.error_slug),
    error_message = case when a.slug is null then j.error_message else a.message end
  from unnest(queue_again.job_ids, queue_again.progress, queue_again.slugs, queue_again.messages)
    as a (id, progress, slug, message)
  where j.id = any (array[a.id]) and (j.status <> 'queued' or a.slug is not null or a.progress > j.progress);
  perform app.record_events(queue_again.job_ids, 'queued');
end
$$;

comment on function app.queue_again(bigint[], integer[], integer[], timestamptz[], real[], jsonb[], text[], text[]) is
  'Puts running steps back into the queue, due at run_at. A null state keeps the one that was saved before. '
  'slugs, messages: why it has failed, or null.';
