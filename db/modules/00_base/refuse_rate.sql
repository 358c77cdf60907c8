-- app.refuse_rate
--
-- Errors      PT429 rate_limited with Retry-After, always
create or replace function app.refuse_rate(
  bucket text,
  key text,
  "limit" integer,
  "window" interval,
  cost integer
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.clock();
  v_spent_until timestamptz := greatest(
    v_now,
    (
      select r.spent_until
      from app.rate_limits as r
      where r.bucket = refuse_rate.bucket and r.key = refuse_rate.key
    )
  );
  v_room_at timestamptz := v_spent_until
    + refuse_rate."window" * (refuse_rate.cost::double precision / refuse_rate."limit")
    - refuse_rate."window";
  v_wait integer := greatest(1, ceil(extract(epoch from v_room_at - v_now)))::integer;
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

comment on function app.refuse_rate(text, text, integer, interval, integer) is
  'Refuses a request whose limit is spent, and says when the limit has room for it again.';
