-- app.refuse_rate
--
-- Errors      PT429 rate_limited with Retry-After, always
create or replace function app.refuse_rate("limit" integer, "window" interval, wait interval)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_wait integer := greatest(1, ceil(extract(epoch from refuse_rate.wait)))::integer;
begin
  perform app.fail(
    429,
    'rate_limited',
    format(
      'Too many requests: the limit is %s per %s.',
      refuse_rate."limit",
      case refuse_rate."window"
        when interval '1 minute' then 'minute'
        when interval '1 hour' then 'hour'
        when interval '1 day' then 'day'
        else refuse_rate."window"::text
      end
    ),
    format('Try again in %s s.', v_wait),
    jsonb_build_object('Retry-After', v_wait::text)
  );
end
$$;

comment on function app.refuse_rate(integer, interval, interval) is
  'Refuses a request whose limit is spent. wait: how long until the limit has room again.';
