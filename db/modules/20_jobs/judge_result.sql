-- app.judge_result
--
-- Why         the only place that decides what a result means; writes nothing
create or replace function app.judge_result(
  result jsonb,
  inout failures integer,
  inout delays integer,
  inout losses integer,
  inout turns integer,
  max_failures integer,
  max_losses integer,
  max_turns integer,
  max_output_bytes integer,
  backoff interval,
  backoff_max interval,
  out outcome text,
  out bytes integer,
  out slug text,
  out message text,
  out state jsonb,
  out progress real,
  out pause interval,
  out hold interval,
  out hold_kind text,
  out has_begun boolean,
  out runs_alone boolean
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_said text := judge_result.result ->> 'outcome';
  v_delay_ms bigint := app.parse_bigint(judge_result.result -> 'retry_in_ms');
  v_delay interval;
  v_day_ms bigint;
begin
  if v_delay_ms is not null then
    -- A reschedule may wait for a year, a leap year included; a provider names a day at most.
    v_delay := least(v_delay_ms, case v_said when 'rescheduled' then 31622400000 else 86400000 end)
      * interval '1 ms';
  end if;

  if v_said = 'completed' then
    bytes := coalesce(octet_length((judge_result.result -> 'output')::text), 0);
    outcome := 'done';
    if bytes > judge_result.max_output_bytes then
      outcome := 'failed';
      slug := 'output_too_large';
      message := format(
        'The output has %s bytes, but steps of this type may return %s. Return less, or raise '
        'job_types.max_output_bytes.',
        bytes,
        judge_result.max_output_bytes
      );
    elsif jsonb_typeof(judge_result.result -> 'children') <> 'array' then
      outcome := 'failed';
      slug := 'children_invalid';
      message := 'children is not a JSON array. Return an array of steps.';
    end if;
  elsif v_said = 'rescheduled'
    and octet_length((judge_result.result -> 'state')::text) > 1048576
  then
    outcome := 'failed';
    slug := 'state_too_large';
    message :=
      'The state that the step saved is larger than 1 MiB. Save only what its next turn needs.';
  elsif v_said = 'rescheduled' or v_said = 'returned' then
    outcome := 'again';
    has_begun := v_said = 'rescheduled'
      or judge_result.result -> 'begun' is not distinct from 'true';
    if v_said = 'rescheduled' then
      state := judge_result.result -> 'state';
      turns := judge_result.turns + 1;
      if judge_result.result -> 'resets_counts' is not distinct from 'true' then
        failures := 0;
        delays := 0;
        losses := 0;
      end if;
    end if;
    progress := case
      when jsonb_typeof(judge_result.result -> 'progress') = 'number'
        then round(least(greatest((judge_result.result ->> 'progress')::numeric, 0), 1), 4)::real
    end;
    pause := coalesce(v_delay, '0');
    -- A returned step keeps runs_alone, because its handler has not ended by itself.
    runs_alone := case v_said when 'rescheduled' then false end;
    if turns >= judge_result.max_turns and v_said = 'rescheduled' then
      outcome := 'failed';
      slug := 'too_many_turns';
      message := format(
        'The step has rescheduled itself %s times, the maximum of its type. Retry the run, and '
        'tell the operator if the step fails again: its handler may never end.',
        turns
      );
    end if;
  elsif v_said = 'lost' then
    losses := judge_result.losses + 1;
    has_begun := true;
    runs_alone := true;
    slug := left(
      coalesce(
        substring(judge_result.result #>> '{error,slug}' from '^[a-z][a-z0-9_]*$'), 'worker_lost'
      ),
      80
    );
    message := left(
      coalesce(
        judge_result.result #>> '{error,message}',
        'The worker process ended or sent no heartbeats while the step may have been running.'
      ),
      2000
    );
    if losses < judge_result.max_losses then
      outcome := 'again';
      pause := '0';
      message := message || ' The step now runs again, with no other step in its process.';
    else
      outcome := 'failed';
      message := format(
        '%s This happened %s times, so the step is not tried again.', message, losses
      );
    end if;
  elsif v_said = 'failed' then
    has_begun := true;
    -- JSON null: the operation that the state describes has ended.
    state := case when judge_result.result -> 'state' = 'null' then 'null'::jsonb end;
    if judge_result.result -> 'retry_grows' is not distinct from 'true' then
      v_delay := least(
        v_delay * power(2, least(judge_result.delays, 20)), greatest(v_delay, interval '5 minutes')
      );
    end if;
    if judge_result.result -> 'is_permanent' is distinct from 'true' then
      v_day_ms := app.parse_bigint(judge_result.result -> 'day_ends_in_ms');
      if v_day_ms > 0 then
        hold := least(v_day_ms, 90000000) * interval '1 ms';
        hold_kind := 'day_spent';
        v_delay := hold;
      elsif v_delay is not null then
        hold := least(v_delay, (select s.lane_hold_max from app.settings as s));
        hold_kind := 'provider_delay';
      end if;
    end if;
    slug := left(
      coalesce(
        substring(judge_result.result #>> '{error,slug}' from '^[a-z][a-z0-9_]*$'),
        'handler_failed'
      ),
      80
    );
    message := left(
      coalesce(
        judge_result.result #>> '{error,message}',
        'The handler failed without a reason. See the log of the worker.'
      ),
      2000
    );
    runs_alone := judge_result.result -> 'crashed' is not distinct from 'true';
    -- A provider's delay is not a failure of the step, because many steps may share one quota.
    if v_delay is null then
      failures := judge_result.failures + 1;
    else
      delays := judge_result.delays + 1;
    end if;
    if judge_result.result -> 'is_permanent' is distinct from 'true'
      and failures < judge_result.max_failures
      and delays < 100
    then
      outcome := 'again';
      -- Half of the pause is random, so that steps that failed together do not run again together.
      -- While its lane is held, the step is due, so that app.release_lane frees the step, too.
      pause := coalesce(
        case when v_delay > hold then v_delay when v_delay is not null then '0' end,
        -- Computed as numbers, because 3 days doubled 30 times exceed the range of an interval.
        least(
          extract(epoch from judge_result.backoff)::double precision
            * power(2, least(failures - 1, 30)),
          extract(epoch from judge_result.backoff_max)::double precision
        ) * (0.5 + random() / 2) * interval '1 second'
      );
    else
      outcome := 'failed';
    end if;
  else
    outcome := 'invalid';
  end if;
end
$$;

comment on function app.judge_result(
  jsonb, integer, integer, integer, integer, integer, integer, integer, integer, interval, interval
) is
$$Decides from a result what happens to its step. outcome: done, again, failed or invalid.

failures, delays, losses, turns: the new counts; resets_counts of a rescheduled step sets the first
three to 0, because the turn has finished a part of its work. runs_alone: whether the step must run
alone from now on; null: as before. pause: how long a step waits before it runs again. slug,
message: why the step failed, temporarily or permanently. progress: from 0 to 1, or null if not
reported. state: what the step saved; null: as before; JSON null: none from now on. hold, hold_kind:
how long no step of the lane starts, and why; see app.lanes. has_begun: whether the handler may have
run. bytes: the size of the output.$$;
