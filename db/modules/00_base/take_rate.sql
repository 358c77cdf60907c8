-- app.take_rate
--
-- Writes      rate_limits: one row; a refused request writes nothing
-- Errors      PT429 rate_limited with Retry-After
-- Locks       the row of rate_limits until the transaction ends; of an anonymous IPv6 caller, also
--             the row of the caller's network, after it
-- Why         GCRA (generic cell rate algorithm): one timestamp per key says until when its
--             requests are spent. No window edge lets twice the limit through, nothing has to be
--             reset, and the wait is known exactly. The update reads the clock after it has locked
--             the row, because a transaction may have begun before the transactions that it waited
--             for: by its start time, it would be refused although the limit is not spent.
create or replace function app.take_rate(
  bucket text,
  key text,
  "limit" integer,
  "window" interval,
  cost integer default 1
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_cost interval := take_rate."window" * (take_rate.cost::double precision / take_rate."limit");
begin
  if v_cost <= take_rate."window" then
    insert into app.rate_limits as r (bucket, key, spent_until)
    values (take_rate.bucket, take_rate.key, app.clock() + v_cost)
    on conflict on constraint rate_limits_pkey do update
      set spent_until = greatest(r.spent_until, app.clock()) + v_cost
      -- app.require_rate has the same condition.
      where r.spent_until + v_cost <= app.clock() + take_rate."window";
    if found then
      if take_rate.key like 'address %/64' then
        perform app.take_rate(
          take_rate.bucket,
          app.network_of(take_rate.key),
          app.network_limit(take_rate."limit"),
          take_rate."window",
          take_rate.cost
        );
      end if;
      return;
    end if;
  end if;

  perform app.refuse_rate(
    take_rate.bucket, take_rate.key, take_rate."limit", take_rate."window", take_rate.cost
  );
end
$$;

comment on function app.take_rate(text, text, integer, interval, integer) is
  'Counts cost against the limit of key in bucket (limit per window), and against 16 times the '
  'limit of an IPv6 /48 network; 429 rate_limited with Retry-After when a limit is spent.';
