-- app.spend_type_rates
--
-- Writes      job_types.rate_spent_until
-- Locks       none; the caller holds the types (app.lock_type_limits)
create or replace function app.spend_type_rates(types text[], taken_lane_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.clock();
begin
  update public.job_types as t
  set rate_spent_until =
    greatest(t.rate_spent_until, v_now) + n.taken * (t.rate_window / t.rate_limit)
  from (
    select l.type, count(*) as taken
    from unnest(spend_type_rates.taken_lane_ids) as c (lane_id)
    join app.lanes as l on l.id = c.lane_id
    group by l.type
  ) as n
  where t.name = n.type and t.rate_limit is not null and t.name = any (spend_type_rates.types);
end
$$;

comment on function app.spend_type_rates(text[], bigint[]) is
$$Counts claimed steps against the rates of these types.

taken_lane_ids: the lane of each claimed step.$$;
