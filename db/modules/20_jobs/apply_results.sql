-- app.apply_results
--
-- Called by   worker.exchange_steps; app.return_lost_steps, with what it says for silent workers
-- Writes      jobs, job_queue, lanes, runs; the queue: a pump for what is due later
-- Locks       runs, lowest id first; then lanes that sleep or are held, lowest id first each. The rows of running steps change under their run's lock
--             only, so they need none of their own
-- Why         results are judged one by one and written in sets. What is wrong with one is its own: children are inserted
--             in a subtransaction, everything else is checked before it is used
create or replace function app.apply_results(results jsonb)
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
  v_slug text;
  v_message text;
  v_bytes integer;
  v_policy text;
  v_delay interval;
  v_steps_max integer;
  v_failing_ids bigint[];
  v_seen_ids bigint[] := '{}'::bigint[];
  -- Own work done: ids, outputs, their sizes, since when it ran, and how many children it brought.
  v_done_ids bigint[] := '{}'::bigint[];
  v_done_outputs jsonb[] := '{}'::jsonb[];
  v_done_bytes integer[] := '{}'::integer[];
  v_done_since timestamptz[] := '{}'::timestamptz[];
  v_done_children integer[] := '{}'::integer[];
  v_open_ids bigint[] := '{}'::bigint[];
  v_emptied_ids bigint[] := '{}'::bigint[];
  v_queued_ids bigint[] := '{}'::bigint[];
  -- Failed for good.
  v_failed_ids bigint[] := '{}'::bigint[];
  v_failed_slugs text[] := '{}'::text[];
  v_failed_messages text[] := '{}'::text[];
  v_failed_since timestamptz[] := '{}'::timestamptz[];
  v_settled_ids bigint[] := '{}'::bigint[];
  v_skipping_ids bigint[] := '{}'::bigint[];
  v_ending_ids bigint[] := '{}'::bigint[];
  -- To run again: ids, failures, when, and what they saved.
  v_again_ids bigint[] := '{}'::bigint[];
  v_again_failures integer[] := '{}'::integer[];
  v_again_at timestamptz[] := '{}'::timestamptz[];
  v_again_states jsonb[] := '{}'::jsonb[];
  v_held_lane_ids bigint[] := '{}'::bigint[];
  v_held_until timestamptz[] := '{}'::timestamptz[];
begin
  for v_one in
    select r.id, r.failing_step_id
    from app.runs as r
    where r.id = any (
      array(
        select q.run_id
        from app.job_queue as q
        where q.job_id = any (
          array(
            select app.read_bigint(g.result -> 'id')
            from jsonb_array_elements(apply_results.results) as g (result)
          )
        )
      )
    )
    order by r.id + 0
    for update
  loop
    if v_one.failing_step_id is not null then
      v_failing_ids := v_failing_ids || v_one.id;
    end if;
  end loop;

  for v_one in
    select
      g.n,
      g.result,
      g.result ->> 'outcome' as outcome,
      g.result -> 'output' as output,
      q.job_id,
      q.run_id,
      q.lane_id,
      q.fence,
      q.failures,
      q.claimed_at,
      q.open_children,
      q.parent_id,
      t.max_failures,
      t.max_output_bytes,
      t.backoff,
      t.backoff_max
    from jsonb_array_elements(apply_results.results) with ordinality as g (result, n)
    left join app.job_queue as q
      on q.job_id = any (array[app.read_bigint(g.result -> 'id')])
      and q.fence = app.read_bigint(g.result -> 'fence')
      and q.status = 'running'
    left join app.lanes as l on l.id = any (array[q.lane_id])
    left join public.job_types as t on t.name = any (array[l.type])
    order by g.n
  loop
    if v_one.job_id is null or v_one.job_id = any (v_seen_ids) then
      v_refused := v_refused || jsonb_build_object(
        'index', v_one.n - 1,
        'id', v_one.result -> 'id',
        'reason', case when app.read_bigint(v_one.result -> 'id') is null then 'result_invalid' else 'step_lost' end
      );
      continue;
    end if;

    v_slug := null;
    -- A day at most; null where nothing is said (least would take null for no limit).
    v_delay := app.read_bigint(v_one.result -> 'retry_in_ms') * interval '1 ms';
    v_delay := case when v_delay > '1 day' then '1 day' else v_delay end;
    if v_one.outcome = 'completed' then
      v_bytes := coalesce(octet_length(v_one.output::text), 0);
      v_direct := 0;
      v_new_queued_ids := '{}';
      v_new_emptied_ids := '{}';
      if v_bytes > v_one.max_output_bytes then
        v_slug := 'output_too_large';
        v_message := format('The output has %s bytes; %s are allowed.', v_bytes, v_one.max_output_bytes);
      elsif jsonb_typeof(coalesce(v_one.result -> 'children', '[]')) <> 'array' then
        v_slug := 'children_invalid';
        v_message := 'The children are no list of steps.';
      elsif v_one.result -> 'children' <> '[]' then
        v_steps_max := coalesce(v_steps_max, (select s.run_steps_max from app.settings as s));
        begin
          select n.direct, n.queued, n.emptied
          into v_direct, v_new_queued_ids, v_new_emptied_ids
          from app.insert_children(
            v_one.run_id, v_one.job_id, v_one.result -> 'children', v_one.open_children = 0, v_steps_max
          ) as n;
        exception
          when sqlstate 'PT422' then
            get stacked diagnostics v_message = message_text;
            v_slug := 'children_invalid';
        end;
      end if;
    elsif v_one.outcome = 'failed' then
      v_slug := case when v_one.result #>> '{error,slug}' ~ '^[a-z][a-z0-9_]*$' then left(v_one.result #>> '{error,slug}', 80) end;
      v_slug := coalesce(v_slug, 'handler_failed');
      v_message := left(coalesce(v_one.result #>> '{error,message}', 'The handler gave no reason.'), 2000);
    elsif v_one.outcome is distinct from 'rescheduled' and v_one.outcome is distinct from 'returned' then
      v_refused := v_refused || jsonb_build_object('index', v_one.n - 1, 'id', v_one.job_id, 'reason', 'result_invalid');
      continue;
    end if;

    v_seen_ids := v_seen_ids || v_one.job_id;
    if v_slug is null and v_one.outcome = 'completed' then
      v_done_ids := v_done_ids || v_one.job_id;
      v_done_outputs := v_done_outputs || v_one.output;
      v_done_bytes := v_done_bytes || v_bytes;
      v_done_since := v_done_since || v_one.claimed_at;
      v_done_children := v_done_children || (v_one.open_children + v_direct);
      v_queued_ids := v_queued_ids || v_new_queued_ids;
      v_emptied_ids := v_emptied_ids || v_new_emptied_ids;
      if v_one.open_children > 0 then
        v_open_ids := v_open_ids || v_one.job_id;
      elsif v_direct = 0 then
        v_settled_ids := v_settled_ids || v_one.job_id;
      end if;
    elsif v_slug is null then
      v_again_ids := v_again_ids || v_one.job_id;
      v_again_failures := v_again_failures || v_one.failures;
      v_again_states := v_again_states || case v_one.outcome when 'rescheduled' then v_one.result -> 'state' end;
      v_again_at := v_again_at || (v_now + coalesce(v_delay, '0'));
    elsif v_one.outcome = 'failed'
      and v_one.result -> 'is_permanent' is distinct from 'true'
      and v_one.failures + 1 < v_one.max_failures
    then
      v_again_ids := v_again_ids || v_one.job_id;
      v_again_failures := v_again_failures || (v_one.failures + 1);
      v_again_states := v_again_states || null::jsonb;
      v_again_at := v_again_at || (
        v_now + coalesce(
          v_delay,
          -- Half of it by chance, so that what failed together does not come back together.
          least(v_one.backoff * power(2, least(v_one.failures, 30)), v_one.backoff_max) * (0.5 + random() / 2)
        )
      );
    else
      v_failed_ids := v_failed_ids || v_one.job_id;
      v_failed_slugs := v_failed_slugs || v_slug;
      v_failed_messages := v_failed_messages || v_message;
      v_failed_since := v_failed_since || v_one.claimed_at;
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
    if v_delay is not null and v_one.outcome = 'failed' then
      v_held_lane_ids := v_held_lane_ids || v_one.lane_id;
      v_held_until := v_held_until || (v_now + v_delay);
    end if;
  end loop;
  if v_seen_ids = '{}' then
    return v_refused;
  end if;

  if v_done_ids <> '{}' then
    perform app.finish_work(v_done_ids, v_done_outputs, v_done_bytes, v_done_since, v_done_children);
  end if;
  if v_again_ids <> '{}' then
    perform app.queue_again(v_again_ids, v_again_failures, v_again_at, v_again_states);
    v_queued_ids := v_queued_ids || v_again_ids;
  end if;
  if v_failed_ids <> '{}' then
    perform app.fail_steps(v_failed_ids, v_failed_slugs, v_failed_messages, v_failed_since, v_ending_ids);
    if cardinality(v_failed_ids) > cardinality(v_ending_ids) then
      perform app.skip_steps(array(select unnest(v_failed_ids) except select unnest(v_ending_ids)), v_skipping_ids);
    end if;
  end if;
  v_queued_ids := v_queued_ids || app.settle_steps(v_settled_ids, v_open_ids, v_emptied_ids);
  if v_failing_ids is not null then
    perform app.wind_down_runs(v_failing_ids);
  end if;
  if v_queued_ids <> '{}' then
    perform app.wake_lanes(v_queued_ids);
  end if;
  if v_held_lane_ids <> '{}' then
    perform app.hold_lanes(v_held_lane_ids, v_held_until);
  end if;
  if v_again_ids <> '{}' then
    perform app.enqueue_pump((select min(a.run_at) from unnest(v_again_at) as a (run_at)));
  end if;

  return v_refused;
end
$$;

comment on function app.apply_results(jsonb) is
  'Takes what became of running steps, as worker.exchange_steps describes it, and moves on what waited for them. Returns '
  'what it refused: [{ index, id, reason }].';

revoke execute on function app.apply_results(jsonb) from public;
