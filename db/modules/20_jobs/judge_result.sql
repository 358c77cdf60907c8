-- app.judge_result
create or replace function app.judge_result(
  result jsonb,
  inout failures integer,
  inout delays integer,
  max_failures integer,
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
  out hold interval
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
begin
  if v_delay_ms is not null then
    v_delay := least(v_delay_ms, 86400000) * interval '1 ms';
  end if;

  if v_said = 'completed' then
    bytes := coalesce(octet_length((judge_result.result -> 'output')::text), 0);
    outcome := 'done';
    if bytes > judge_result.max_output_bytes then
      outcome := 'failed';
      slug := 'output_too_large';
      message := format('The output has %s bytes; %s are allowed.', bytes, judge_result.max_output_bytes);
    elsif jsonb_typeof(judge_result.result -> 'children') <> 'array' then
      outcome := 'failed';
      slug := 'children_invalid';
      message := 'The children are no list of steps.';
    end if;
  elsif v_said = 'rescheduled' and octet_length((judge_result.result -> 'state')::text) > 1048576 then
    outcome := 'failed';
    slug := 'state_too_large';
    message := 'What the step saved for its next turn has more than 1 MiB.';
  elsif v_said = 'rescheduled' or v_said = 'returned' then
    outcome := 'again';
    state := case v_said when 'rescheduled' then judge_result.result -> 'state' end;
    progress := case
      when jsonb_typeof(judge_result.result -> 'progress') = 'number'
        then round(least(greatest((judge_result.result ->> 'progress')::numeric, 0), 1), 4)::real
    end;
    pause := coalesce(v_delay, '0');
  elsif v_said = 'failed' then
    hold := v_delay;
    slug := left(coalesce(substring(judge_result.result #>> '{error,slug}' from '^[a-z][a-z0-9_]*$'), 'handler_failed'), 80);
    message := left(coalesce(judge_result.result #>> '{error,message}', 'The handler gave no reason.'), 2000);
    -- Who is told when to come back has not failed: many may share a quota that lets a few through at a time.
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
      -- Half of it by chance, so that what failed together does not come back together.
      pause := coalesce(
        v_delay,
        -- As numbers: an interval of 3 days, doubled 30 times, is none any more.
        least(
          extract(epoch from judge_result.backoff)::double precision * power(2, least(failures - 1, 30)),
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

comment on function app.judge_result(jsonb, integer, integer, integer, integer, interval, interval) is
  'What becomes of a step by its result: done, again (after pause, with failures, delays and state), failed, or '
  'invalid. slug, message: why it failed, this time or for good. progress: how far it says that it is, or null. hold: for how long its lane''s provider takes nothing. bytes: the size of its output.';
