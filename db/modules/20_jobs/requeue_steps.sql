-- app.requeue_steps
--
-- Writes      job_queue; jobs, if a visible column changes
-- Locks       none; the caller holds the runs
create or replace function app.requeue_steps(
  job_ids bigint[],
  failures integer[],
  delays integer[],
  losses integer[],
  turns integer[],
  runs_alone boolean[],
  run_at timestamptz[],
  progress real[],
  states jsonb[],
  since timestamptz[],
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
    losses = a.losses,
    turns = a.turns,
    runs_alone = coalesce(a.runs_alone, q.runs_alone),
    run_at = a.run_at,
    state = nullif(coalesce(a.state, q.state), 'null'),
    worker_id = null,
    claimed_at = null
  from unnest(
    requeue_steps.job_ids, requeue_steps.failures, requeue_steps.delays, requeue_steps.losses,
    requeue_steps.turns, requeue_steps.runs_alone, requeue_steps.run_at, requeue_steps.states
  ) as a (id, failures, delays, losses, turns, runs_alone, run_at, state)
  -- Index lookup even on an empty table: ADR 16.
  where q.job_id = any (array[a.id]);

  -- The reason of the last failure stays visible until the step succeeds.
  update public.jobs as j
  set
    status = 'queued',
    progress = greatest(j.progress, a.progress),
    started_at = coalesce(j.started_at, a.since),
    error_slug = coalesce(a.slug, j.error_slug),
    error_message = case when a.slug is null then j.error_message else a.message end
  from unnest(
    requeue_steps.job_ids, requeue_steps.progress, requeue_steps.since, requeue_steps.slugs,
    requeue_steps.messages
  ) as a (id, progress, since, slug, message)
  where j.id = any (array[a.id])
    and (
      j.status <> 'queued'
      or a.slug is not null
      or a.progress > j.progress
      or (j.started_at is null and a.since is not null)
    );
  perform app.record_events(requeue_steps.job_ids, 'queued');
end
$$;

comment on function app.requeue_steps(
  bigint[], integer[], integer[], integer[], integer[], boolean[], timestamptz[], real[], jsonb[],
  timestamptz[], text[], text[]
) is
$$Requeues running steps, due at run_at.

runs_alone: null keeps the value. states: null keeps the state that the step saved before; JSON null
removes it. since: when each step was claimed, or null if it did not begin. slugs, messages: why the
step failed, or null.$$;
