-- app.settle_rate
--
-- Writes      rate_limits
-- Errors      PT429 rate_limited with Retry-After
-- Locks       the rows of rate_limits until the transaction ends, as app.take_rate
create or replace function app.settle_rate(
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
  v_network text := app.network_of(settle_rate.key);
begin
  if settle_rate.cost > 0 then
    perform app.take_rate(
      settle_rate.bucket, settle_rate.key, settle_rate."limit", settle_rate."window",
      settle_rate.cost
    );
  elsif settle_rate.cost < 0 then
    update app.rate_limits as r
    set spent_until = r.spent_until
      + settle_rate."window" * (settle_rate.cost::double precision / settle_rate."limit")
    where r.bucket = settle_rate.bucket and r.key = settle_rate.key;
    if v_network is not null then
      perform app.settle_rate(
        settle_rate.bucket,
        v_network,
        app.network_limit(settle_rate."limit"),
        settle_rate."window",
        settle_rate.cost
      );
    end if;
  end if;
end
$$;

comment on function app.settle_rate(text, text, integer, interval, integer) is
  'Corrects the cost that take_rate has counted for a request: counts a positive cost, and '
  'subtracts a negative one.';
