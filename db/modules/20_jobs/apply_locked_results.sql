-- app.apply_locked_results
--
-- Writes      jobs, job_queue, step_states, lanes, runs, run_changes; the rows that callbacks
--             write; the queue: a pump for steps that are due later
-- Errors      JC001, if the callback of a step raises
-- Locks       new lanes, by owner and type; then the rows that callbacks lock; then the lanes of
--             queued steps, lowest id first (app.wake_lanes). The caller holds the runs
--             (app.lock_runs_of), which also protects the rows of their steps
-- Why         judges results one by one (app.judge_result) and writes them in sets. A fault of one
--             result does not harm the others: children are inserted in a subtransaction, and
--             everything else is checked before it is used
create or replace function app.apply_locked_results(results jsonb, failing_run_ids bigint[])
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_refused jsonb := '[]'::jsonb;
  v_one record;
  v_direct integer;
  v_new_queued_ids bigint[];
  v_new_emptied_ids bigint[];
  v_verdict record;
  v_message text;
  v_hint text;
  v_policy text;
  v_steps_max integer;
  v_failing_ids bigint[] := apply_locked_results.failing_run_ids;
  v_seen_ids bigint[] := '{}'::bigint[];
  v_run_ids bigint[] := '{}'::bigint[];
  -- Steps whose own work is done: output, its size, when claimed, number of open children.
  v_done_ids bigint[] := '{}'::bigint[];
  v_done_outputs jsonb[] := '{}'::jsonb[];
  v_done_bytes integer[] := '{}'::integer[];
  v_done_since timestamptz[] := '{}'::timestamptz[];
  v_done_children integer[] := '{}'::integer[];
  v_open_ids bigint[] := '{}'::bigint[];
  v_emptied_ids bigint[] := '{}'::bigint[];
  v_queued_ids bigint[] := '{}'::bigint[];
  -- Steps that failed permanently.
  v_failed_ids bigint[] := '{}'::bigint[];
  v_failed_slugs text[] := '{}'::text[];
  v_failed_messages text[] := '{}'::text[];
  v_failed_since timestamptz[] := '{}'::timestamptz[];
  v_failed_states jsonb[] := '{}'::jsonb[];
  v_settled_ids bigint[] := '{}'::bigint[];
  v_skipping_ids bigint[] := '{}'::bigint[];
  v_ending_ids bigint[] := '{}'::bigint[];
  -- Steps that run again.
  v_again_ids bigint[] := '{}'::bigint[];
  v_again_failures integer[] := '{}'::integer[];
  v_again_delays integer[] := '{}'::integer[];
  v_again_losses integer[] := '{}'::integer[];
  v_again_turns integer[] := '{}'::integer[];
  v_again_alone boolean[] := '{}'::boolean[];
  v_again_at timestamptz[] := '{}'::timestamptz[];
  v_again_progress real[] := '{}'::real[];
  v_again_states jsonb[] := '{}'::jsonb[];
  v_again_since timestamptz[] := '{}'::timestamptz[];
  v_again_slugs text[] := '{}'::text[];
  v_again_messages text[] := '{}'::text[];
  v_held_lane_ids bigint[] := '{}'::bigint[];
  v_held_until timestamptz[] := '{}'::timestamptz[];
  v_held_kinds text[] := '{}'::text[];
  v_held_reasons text[] := '{}'::text[];
  v_freed_lane_ids bigint[] := '{}'::bigint[];
  v_due_at timestamptz;
  -- For callbacks.
  v_completed_types text[];
  v_rescheduled_types text[];
  v_completed_ids bigint[] := '{}'::bigint[];
  v_rescheduled_ids bigint[] := '{}'::bigint[];
  v_settled record;
  v_ended_ids bigint[];
begin
  select
    array_agg(c.type) filter (where c.on_completed is not null),
    array_agg(c.type) filter (where c.on_rescheduled is not null)
  into v_completed_types, v_rescheduled_types
  from app.job_callbacks as c;

  -- All new lanes at once, so that two batches insert lanes in the same order.
  if jsonb_path_exists(apply_locked_results.results, '$[*].children[*]') then
    perform app.ensure_child_lanes(apply_locked_results.results);
  end if;

  for v_one in
    select
      g.n,
      g.result,
      g.result -> 'output' as output,
      q.job_id,
      q.run_id,
      q.lane_id,
      q.fence,
      q.failures,
      q.delays,
      q.losses,
      -- app.judge_result adds the turn. While buying is stopped, a turn of a paid step does not
      -- count, because the step waits for an operator.
      q.turns - case
        when g.result ->> 'outcome' = 'rescheduled'
          and t.is_paid
          and (select s.buying_is_stopped from app.settings as s)
          then 1
        else 0
      end as turns,
      q.claimed_at,
      q.open_children,
      q.parent_id,
      l.type,
      t.max_failures,
      t.max_losses,
      t.max_turns,
      t.max_output_bytes,
      t.backoff,
      t.backoff_max,
      t.owner_open_limit
    from jsonb_array_elements(apply_locked_results.results) with ordinality as g (result, n)
    left join app.job_queue as q
      -- Index lookup even on an empty table: ADR 16.
      on q.job_id = any (array[app.parse_bigint(g.result -> 'id')])
      and q.fence = app.parse_bigint(g.result -> 'fence')
      and q.worker_id is not null
    left join app.lanes as l on l.id = any (array[q.lane_id])
    left join public.job_types as t on t.name = any (array[l.type])
    order by g.n
  loop
    if v_one.job_id is null or v_one.job_id = any (v_seen_ids) then
      v_refused := v_refused || jsonb_build_object(
        'index', v_one.n - 1,
        'id', v_one.result -> 'id',
        'reason', case
          when app.parse_bigint(v_one.result -> 'id') is null then 'result_invalid'
          else 'step_lost'
        end
      );
      continue;
    end if;

    v_verdict := app.judge_result(
      v_one.result, v_one.failures, v_one.delays, v_one.losses, v_one.turns, v_one.max_failures,
      v_one.max_losses, v_one.max_turns, v_one.max_output_bytes, v_one.backoff, v_one.backoff_max
    );
    v_direct := 0;
    v_new_queued_ids := '{}';
    v_new_emptied_ids := '{}';
    if v_verdict.outcome = 'done' and v_one.result -> 'children' <> '[]' then
      v_steps_max := coalesce(v_steps_max, (select s.run_steps_max from app.settings as s));
      begin
        select n.direct, n.queued, n.emptied
        into v_direct, v_new_queued_ids, v_new_emptied_ids
        from app.insert_children(
          v_one.run_id, v_one.job_id, v_one.result -> 'children', v_one.open_children = 0,
          v_steps_max
        ) as n;
      exception
        when sqlstate 'PT422' then
          get stacked diagnostics v_message = message_text, v_hint = pg_exception_hint;
          v_verdict.outcome := 'failed';
          v_verdict.slug := 'children_invalid';
          v_verdict.message := concat_ws(' ', v_message, v_hint);
      end;
    end if;

    if v_verdict.outcome = 'invalid' then
      v_refused := v_refused || jsonb_build_object(
        'index', v_one.n - 1, 'id', v_one.job_id, 'reason', 'result_invalid'
      );
      continue;
    end if;
    v_seen_ids := v_seen_ids || v_one.job_id;
    v_run_ids := v_run_ids || v_one.run_id;
    if v_verdict.outcome = 'done' then
      v_done_ids := v_done_ids || v_one.job_id;
      v_done_outputs := v_done_outputs || v_one.output;
      v_done_bytes := v_done_bytes || v_verdict.bytes;
      v_done_since := v_done_since || v_one.claimed_at;
      v_done_children := v_done_children || (v_one.open_children + v_direct);
      if v_one.type = any (v_completed_types) then
        v_completed_ids := v_completed_ids || v_one.job_id;
      end if;
      v_queued_ids := v_queued_ids || v_new_queued_ids;
      v_emptied_ids := v_emptied_ids || v_new_emptied_ids;
      if v_one.open_children > 0 then
        v_open_ids := v_open_ids || v_one.job_id;
      elsif v_direct = 0 then
        v_settled_ids := v_settled_ids || v_one.job_id;
      end if;
    elsif v_verdict.outcome = 'again' then
      v_again_ids := v_again_ids || v_one.job_id;
      v_again_failures := v_again_failures || v_verdict.failures;
      v_again_delays := v_again_delays || v_verdict.delays;
      v_again_losses := v_again_losses || v_verdict.losses;
      v_again_turns := v_again_turns || v_verdict.turns;
      v_again_alone := v_again_alone || v_verdict.runs_alone;
      v_again_progress := v_again_progress || v_verdict.progress;
      v_again_states := v_again_states || v_verdict.state;
      v_again_since := v_again_since
        || case when v_verdict.has_begun then v_one.claimed_at end;
      v_again_slugs := v_again_slugs || v_verdict.slug;
      v_again_messages := v_again_messages || v_verdict.message;
      v_again_at := v_again_at || (v_now + v_verdict.pause);
      v_due_at := least(v_due_at, v_now + greatest(v_verdict.pause, v_verdict.hold));
      if v_one.type = any (v_rescheduled_types) and v_one.result ->> 'outcome' = 'rescheduled' then
        v_rescheduled_ids := v_rescheduled_ids || v_one.job_id;
      end if;
    else
      v_failed_ids := v_failed_ids || v_one.job_id;
      v_failed_slugs := v_failed_slugs || v_verdict.slug;
      v_failed_messages := v_failed_messages || v_verdict.message;
      v_failed_since := v_failed_since || v_one.claimed_at;
      v_failed_states := v_failed_states || v_verdict.state;
      v_policy := (select j.on_failure from public.jobs as j where j.id = v_one.job_id);
      if v_policy = 'fail_run' or v_one.parent_id is null then
        v_ending_ids := v_ending_ids || v_one.job_id;
        v_failing_ids := v_failing_ids || v_one.run_id;
      else
        v_settled_ids := v_settled_ids || v_one.job_id;
        if v_policy = 'skip_dependents' then
          v_skipping_ids := v_skipping_ids || v_one.job_id;
        end if;
      end if;
    end if;
    if v_one.owner_open_limit is not null and v_verdict.outcome <> 'again' then
      v_freed_lane_ids := v_freed_lane_ids || v_one.lane_id;
    end if;
    if v_verdict.hold is not null then
      v_held_lane_ids := v_held_lane_ids || v_one.lane_id;
      v_held_until := v_held_until || (v_now + v_verdict.hold);
      v_held_kinds := v_held_kinds || v_verdict.hold_kind;
      v_held_reasons := v_held_reasons || v_verdict.message;
    end if;
  end loop;
  if v_seen_ids = '{}' then
    return v_refused;
  end if;

  insert into app.run_changes (run_id)
  select distinct r.id
  from unnest(v_run_ids) as r (id);

  if v_done_ids <> '{}' then
    perform app.finish_work(
      v_done_ids, v_done_outputs, v_done_bytes, v_done_since, v_done_children
    );
  end if;
  if v_again_ids <> '{}' then
    perform app.requeue_steps(
      v_again_ids, v_again_failures, v_again_delays, v_again_losses, v_again_turns, v_again_alone,
      v_again_at, v_again_progress, v_again_states, v_again_since, v_again_slugs, v_again_messages
    );
    v_queued_ids := v_queued_ids || v_again_ids;
  end if;
  if v_failed_ids <> '{}' then
    perform app.fail_steps(
      v_failed_ids, v_failed_slugs, v_failed_messages, v_failed_since, v_failed_states,
      v_ending_ids
    );
    if cardinality(v_failed_ids) > cardinality(v_ending_ids) then
      perform app.skip_steps(
        array(select unnest(v_failed_ids) except select unnest(v_ending_ids)), v_skipping_ids
      );
    end if;
  end if;
  v_settled := app.settle_steps(v_settled_ids, v_open_ids, v_emptied_ids);
  v_queued_ids := v_queued_ids || v_settled.queued_ids;
  v_ended_ids := v_settled.ended_ids;
  if v_failing_ids is not null then
    v_ended_ids := v_ended_ids || app.wind_down_runs(v_failing_ids);
  end if;
  if v_completed_ids <> '{}' or v_rescheduled_ids <> '{}' or v_ended_ids <> '{}' then
    perform app.run_callbacks(v_completed_ids, v_rescheduled_ids, v_ended_ids);
  end if;
  if v_queued_ids <> '{}' or v_held_lane_ids <> '{}' or v_freed_lane_ids <> '{}' then
    perform app.wake_lanes(
      v_queued_ids, v_held_lane_ids, v_held_until, v_held_kinds, v_held_reasons, v_freed_lane_ids
    );
  end if;
  if v_again_ids <> '{}' then
    perform app.enqueue_pump(v_due_at);
  end if;

  return v_refused;
end
$$;

comment on function app.apply_locked_results(jsonb, bigint[]) is
$$Applies the results of running steps whose runs the caller has locked; see app.apply_results.

failing_run_ids: the failing runs among them, or null.$$;
