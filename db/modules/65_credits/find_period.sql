-- app.find_period
--
-- Why         adds n periods to the beginning, because adding one month n times would turn 31
--             January into the 28th of every later month. Counts in UTC, because a day or a month
--             has another length in other time zones
create or replace function app.find_period(
  began_at timestamptz,
  period interval,
  at timestamptz,
  out starts_at timestamptz,
  out ends_at timestamptz
)
  returns record
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_began timestamp := find_period.began_at at time zone 'UTC';
  v_at timestamp := find_period.at at time zone 'UTC';
  v_n integer := greatest(
    floor(
      extract(epoch from v_at - v_began) / extract(epoch from find_period.period)
    )::integer,
    0
  );
begin
  while v_n > 0 and v_began + v_n * find_period.period > v_at loop
    v_n := v_n - 1;
  end loop;
  while v_began + (v_n + 1) * find_period.period <= v_at loop
    v_n := v_n + 1;
  end loop;

  starts_at := (v_began + v_n * find_period.period) at time zone 'UTC';
  ends_at := (v_began + (v_n + 1) * find_period.period) at time zone 'UTC';
end
$$;

comment on function app.find_period(timestamptz, interval, timestamptz) is
  'Returns the period that contains a time, in periods counted from began_at.';
