-- Comments on the tables and columns of this module.

comment on column app.settings.job_lease is
  'How long a worker process may send no heartbeat before its steps are requeued. A worker sends a '
  'heartbeat each second.';
comment on column app.settings.job_retention is 'How long a finished run is kept.';
comment on column app.settings.job_retries_per_hour is
  'How many times an hour a user may call retry_job. The limit exists because a retry repeats '
  'work that was running when its run was cancelled. Limit per user: 429 rate_limited.';
comment on column app.settings.run_steps_max is
  'The maximum number of steps in a run, including the children that handlers add. Limit per '
  'run: 422 too_many_steps.';
comment on column app.settings.job_events_are_kept is
  'Whether each transition of a step is written to app.job_events.';

comment on column app.settings.lane_hold_max is
  'How long a delay that a provider names may hold a lane. A spent day of a provider may hold it '
  'for longer. Limit per lane: the hold ends.';
comment on column app.settings.buying_is_stopped is
  'True: no paid step without a saved state is claimed, so nothing new is bought. Operations that '
  'have begun continue.';

comment on table public.job_types is 'Kinds of background work.';
comment on column public.job_types.name is 'The name that the steps of a run use as type.';
comment on column public.job_types.description is
  'Describes the work of a step of this type to people.';
comment on column public.job_types.has_handler is
  'False for a group: a step without own work, which completes when its children do.';
comment on column public.job_types.on_failure is
  'The default on_failure of steps of this type: fail_run, skip_dependents or continue.';
comment on column public.job_types.max_failures is
  'The number of failures after which a step is not tried again. Transient errors and timeouts '
  'count. Delays that a provider names are counted apart: a step may have 100 of them. So are '
  'losses; see max_losses. Limit per step: the step fails.';
comment on column public.job_types.max_losses is
  'The number of losses after which a step is not tried again. A loss: the process of the step '
  'ended or stalled while the step may have been running. After a loss the step runs alone in '
  'its process, because another step may have caused the loss. Limit per step: the step fails '
  'with worker_lost.';
comment on column public.job_types.version is
  'The version of the input that new steps of this type get. Raise it, in a migration and in the '
  'seed data, whenever the input changes: only workers that announce this version or a later one '
  'claim these steps.';
comment on column public.job_types.max_input_bytes is
  'The maximum size of the outputs that a step depends on, together. A step with more fails with '
  'input_too_large. Limit per step: the step fails with input_too_large.';
comment on column public.job_types.backoff is
  'The pause after the first failure. It doubles with each failure, up to backoff_max.';
comment on column public.job_types.backoff_max is 'The longest pause between two attempts.';
comment on column public.job_types.timeout is
  'The time after which the worker aborts a handler. A timeout counts as a failure. Limit per '
  'attempt: the attempt fails with timed_out.';
comment on column public.job_types.running_limit is
  'How many steps of this type may run at a time, over all owners. 0 stops the type; null: no '
  'limit. Limit per type: further steps wait.';
comment on column public.job_types.owner_running_limit is
  'How many steps of this type may run at a time for one owner. Null: no limit. Limit per owner: '
  'further steps wait.';
comment on column public.job_types.owner_open_limit is
  'How many steps of this type one owner may have open at a time: running, or queued with a '
  'saved state. While as many are open, no step without a saved state is claimed, so the limit '
  'bounds operations that a provider works on between two turns of a step. Null: no limit. Limit '
  'per owner: further steps wait.';
comment on column public.job_types.max_turns is
  'How many turns a step may have: a step that reschedules itself once more fails with '
  'too_many_turns. retry_job counts from 0 again. Turns of a paid type do not count while '
  'app.settings.buying_is_stopped is true. Limit per step: the step fails with '
  'too_many_turns.';
comment on column public.job_types.is_paid is
  'Whether a step of this type buys from a provider. While app.settings.buying_is_stopped is true, '
  'no such step is claimed unless it has a saved state.';
comment on column public.job_types.rate_limit is
  'How many steps may start per rate_window, over all owners, in the long run and at once after '
  'a pause (a token bucket). Null: no limit. Limit per type: further steps wait.';
comment on column public.job_types.rate_window is
  'The period of rate_limit. Limit per type: further steps wait.';
comment on column public.job_types.rate_spent_until is
  'The state of the token bucket: the time until which started steps have used it (generic cell '
  'rate algorithm).';
comment on column public.job_types.max_output_bytes is
  'The maximum size of a step''s output as JSON text. A larger output fails the step with '
  'output_too_large. Limit per step: the step fails with output_too_large.';

comment on table app.runs is
  'One row per run, with the id of its root job. Every change of a step locks the row of its run; '
  'only a claim does not.';
comment on column app.runs.id is 'The id of the root job.';
comment on column app.runs.owner_id is 'The user who sees the run; null for work without an owner.';
comment on column app.runs.idempotency_key is
  'The key under which the run was submitted. A second submission with it returns this run.';
comment on column app.runs.request_hash is
  'The SHA-256 of the request that was sent with the key. Null without a key, and for a run of an '
  'older release.';
comment on column app.runs.steps is 'The number of steps, including the root.';
comment on column app.runs.failing_step_id is
  'The step whose failure ends the run. Nothing else starts, and the root fails when no step runs '
  'any more.';
comment on column app.runs.is_closed is
  'True if the object that the run worked on was deleted. retry_job then refuses the run.';
comment on column app.runs.finished_at is
  'When the run completed, failed or was cancelled. Null while it is open.';

comment on table public.jobs is 'Background work as its owner sees it: a run is a tree of steps.

Watch table runs through Realtime, or read job_tree; Realtime sends no jobs. A step that ends
within a second may never be shown as running. Clients may not read input, output, depends_on and a
few more columns, so name the columns in a select.';
comment on column public.jobs.id is 'The id of the step; the root''s is the id of the run.';
comment on column public.jobs.root_id is 'The run: the id of its root job.';
comment on column public.jobs.parent_id is 'The step above this one. Null for the root.';
comment on column public.jobs.owner_id is
  'The user who may read the job; null for work without an owner.';
comment on column public.jobs.key is 'The name of the step, unique among its siblings.';
comment on column public.jobs.type is 'The kind of work: a name of job_types.';
comment on column public.jobs.status is
  'blocked, queued, running, joining (own work done, children open), completed, failed, cancelled '
  'or skipped.';
comment on column public.jobs.progress is 'From 0 to 1, as the handler reports it.';
comment on column public.jobs.on_failure is
  'The effect of a permanent failure of the step: fail_run, skip_dependents or continue.';
comment on column public.jobs.priority is
  'From -100 to 100, lower first, among the steps of the same owner and type.';
comment on column public.jobs.collects is
  'True: the dependents of the step get the outputs of its children as { key: output } within the '
  'output of the step itself.';
comment on column public.jobs.version is
  'The version of its type when the step was inserted; see job_types.version.';
comment on column public.jobs.depends_on is
  'The siblings that the step waits for and whose outputs its handler gets.';
comment on column public.jobs.input is 'The input of the handler.';
comment on column public.jobs.output is 'The output of the handler.';
comment on column public.jobs.output_bytes is
  'The size of what dependents get from the step, including collected children.';
comment on column public.jobs.created_at is
  'When the step was submitted, by a client or by its parent.';
comment on column public.jobs.started_at is 'When the step first ran.';
comment on column public.jobs.worked_at is
  'When the own work of the step was done. Its children start after that.';
comment on column public.jobs.finished_at is 'When the step reached its final status.';
comment on column public.jobs.error_slug is 'The reason of the last failure, for programs.';
comment on column public.jobs.error_message is 'The reason of the last failure, for people.';

comment on table public.runs is 'Runs as their owner sees them: one small row per run.

Watch the row through Realtime, with a filter on job_id or owner_id, or poll the row. The row is
written once a second at most, and has the final status within about two seconds after the end of
the run. cancel_job and retry_job write the row at once. job_tree has the steps and their errors.
The row is deleted with the jobs of the run.';
comment on column public.runs.id is
  'The id of the row, a random UUID. Realtime sends the id of a deleted row to every subscriber.';
comment on column public.runs.job_id is
  'The id of the root job, for job_tree, cancel_job and retry_job. Other tables name it run_id.';
comment on column public.runs.owner_id is
  'The user who may read the run; null for work without an owner.';
comment on column public.runs.type is 'The type of the root job: a name of job_types.';
comment on column public.runs.label is 'The key of the root job.';
comment on column public.runs.status is
  'queued (no step has begun), running, completed, failed or cancelled.';
comment on column public.runs.progress is
  'From 0 to 1: the mean of all steps below the root; for a run of one step, its own progress.';
comment on column public.runs.steps_done is 'How many steps are completed, including the root.';
comment on column public.runs.steps_failed is
  'How many steps have failed. A completed run may contain failed steps.';
comment on column public.runs.steps_open is
  'How many steps have no final status, including the root. No column counts skipped and '
  'cancelled steps.';
comment on column public.runs.created_at is 'When the run was submitted.';
comment on column public.runs.updated_at is 'When the row was last written.';

comment on table app.run_changes is
  'Changes of runs that public.runs does not show yet, one row per run and transaction. '
  'app.publish_runs deletes them.';
comment on column app.run_changes.run_id is 'The run that changed. The run may have been deleted.';

comment on table app.lanes is
  'One row per owner and type: the steps of one owner that have one type. Claims serve lanes in '
  'turn.';
comment on column app.lanes.owner_id is 'The owner of the steps; null for work without an owner.';
comment on column app.lanes.type is 'The type of the steps.';
comment on column app.lanes.wake_at is
  'No step of the lane is due before this time. Infinity: no step is queued.';
comment on column app.lanes.not_before is
  'The time before which a provider takes no requests. Claims skip the lane until then.';
comment on column app.lanes.hold_kind is
  'Why not_before was set last: provider_delay or day_spent (the provider''s quota of the day is '
  'used up). Null: never, or app.release_lane lifted it.';
comment on column app.lanes.hold_reason is 'The reason of the hold, for the owner of the lane.';
comment on column app.lanes.served_at is 'When a step was last claimed from the lane.';

comment on table app.job_queue is
  'The open steps. This table decides what happens to them; public.jobs shows it to clients.';
comment on column app.job_queue.run_id is 'The run of the step.';
comment on column app.job_queue.parent_id is 'The step above this one. Null for the root.';
comment on column app.job_queue.lane_id is 'The lane of the step. Null for a group.';
comment on column app.job_queue.fence is
  'A number that rises with every claim of any step. Results with an older fence are refused.';
comment on column app.job_queue.run_at is 'When a queued step is due.';
comment on column app.job_queue.claimed_at is 'When a worker claimed the step.';
comment on column app.job_queue.worker_id is
  'The worker that runs the step. Null unless it is running.';
comment on column app.job_queue.waits is
  'How many things the step waits for: its dependencies, and the own work of its parent.';
comment on column app.job_queue.open_children is 'How many direct children are not settled.';
comment on column app.job_queue.failures is 'How often the step has failed.';
comment on column app.job_queue.delays is
  'How often a provider has said when to try again. Counted apart from failures, because callers '
  'share a provider''s quota.';
comment on column app.job_queue.losses is
  'How often the process of the step ended or stalled while the step may have been running. '
  'Counted apart from failures, because the cause may be another step.';
comment on column app.job_queue.runs_alone is
  'True after a loss or a crash: a worker runs the step with no other step in its process. False '
  'again after a failure without a crash, or a reschedule. A retry of the run keeps it.';
comment on column app.job_queue.version is
  'As in public.jobs. Only workers that know this version claim the step.';
comment on column app.job_queue.priority is 'As in public.jobs.';
comment on column app.job_queue.status is 'blocked, queued, running or joining, as in public.jobs.';
comment on column app.job_queue.dependents is 'The siblings that wait for the step.';
comment on column app.job_queue.turns is
  'How often the step has rescheduled itself since its run was submitted or retried. See '
  'public.job_types.max_turns.';
comment on column app.job_queue.state is
  'The state that a rescheduled step saved for its next turn. Null: none.';

comment on table app.step_states is
  'The saved states of steps that failed, were cancelled or were skipped. retry_job moves a state '
  'back to app.job_queue, so that the step continues the operation that it began.';
comment on column app.step_states.run_id is 'The run of the step; the state is deleted with it.';
comment on column app.step_states.state is 'As in app.job_queue.';

comment on table app.workers is 'Worker processes that run steps.';
comment on column app.workers.heartbeat_at is 'When the worker last sent a heartbeat.';
comment on column app.workers.started_at is 'When the worker process was first seen.';
comment on column app.workers.beating_since is
  'Since when the worker has sent heartbeats without a gap of half a lease. The worker judges the '
  'silence of others only from then on.';
comment on column app.workers.types is
  'The types that the worker has handlers for. It claims no other. Null: every type.';
comment on column app.workers.versions is
  'The latest version of each type that the worker knows, { type: version }. Null: version 1.';
comment on column app.workers.waiting_fences is
  'The fences of the steps that the worker had claimed but not begun at its last heartbeat.';

comment on table app.job_events is
  'The transitions of steps, in order; written while app.settings.job_events_are_kept is true.';
comment on column app.job_events.status is 'The status that the step reached.';
comment on column app.job_events.happened_at is
  'When the step reached it, by the clock of the server.';

comment on table app.job_callbacks is
  'The functions that products register with the job engine, one row per job type; see '
  'app.register_callbacks.';
comment on column app.job_callbacks.type is 'A name of job_types.';
comment on column app.job_callbacks.on_completed is
  'Called with steps of this type whose own work is done.';
comment on column app.job_callbacks.on_rescheduled is
  'Called with steps of this type that saved their state for a later turn.';
comment on column app.job_callbacks.on_run_ended is
  'Called with roots of this type whose run ended or is deleted while open.';
comment on column app.job_callbacks.on_run_reopened is
  'Called with the root of this type that retry_job runs again. The function may refuse the retry.';

comment on table app.callback_faults is
  'on_run_ended calls that raised. The schedule repeat-callbacks repeats them until they succeed.';
comment on column app.callback_faults.run_id is
  'The run that ended. The run itself may be deleted.';
comment on column app.callback_faults.callback is 'The function to call with the run''s id.';
comment on column app.callback_faults.attempts is 'How many times the call was tried.';
comment on column app.callback_faults.failed_at is 'When the run ended and the call first raised.';
comment on column app.callback_faults.next_at is 'When the call is repeated next.';
comment on column app.callback_faults.error is
  'The error of the last attempt: function, SQLSTATE and message.';
