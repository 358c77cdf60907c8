-- app.require_rate
--
-- Errors      PT429 rate_limited with Retry-After
-- Why         checks the rate before the work whose cost app.take_rate counts at its end, by the
--             condition of app.take_rate. This function counts and locks nothing, so requests at
--             the same moment may all pass.
create or replace function app.require_rate(
  bucket text,
  key text,
  "limit" integer,
  "window" interval,
  cost integer default 1
)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_cost interval := require_rate."window"
    * (require_rate.cost::double precision / require_rate."limit");
  v_spent_until timestamptz := (
    select r.spent_until
    from app.rate_limits as r
    where r.bucket = require_rate.bucket and r.key = require_rate.key
  );
begin
  if v_cost > require_rate."window"
    or v_spent_until + v_cost > app.clock() + require_rate."window"
  then
    perform app.refuse_rate(
      require_rate.bucket, require_rate.key, require_rate."limit", require_rate."window",
      require_rate.cost
    );
  end if;
  if require_rate.key like 'address %/64' then
    perform app.require_rate(
      require_rate.bucket,
      app.network_of(require_rate.key),
      app.network_limit(require_rate."limit"),
      require_rate."window",
      require_rate.cost
    );
  end if;
end
$$;

comment on function app.require_rate(text, text, integer, interval, integer) is
  'Refuses a request whose cost exceeds the rest of the limit of key in bucket, without counting '
  'the cost; 429 rate_limited with Retry-After.';
