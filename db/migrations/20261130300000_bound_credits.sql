-- Periods of at least an hour, and at most 1,000,000,000 credits per period and pack: the schedule and orders fail for others.
set local lock_timeout = '5s';

alter table public.plans
  -- The table has a few rows.
  -- squawk-ignore constraint-missing-not-valid
  add constraint plans_period_is_long check (
    period >= '1 hour'
    -- A mixed period could be shorter than it looks: "1 month -29 days".
    and extract(year from period) >= 0
    and extract(month from period) >= 0
    and extract(day from period) >= 0
  ),
  -- The table has a few rows.
  -- squawk-ignore constraint-missing-not-valid
  add constraint plans_credits_per_period_fit check (credits_per_period <= 1000000000);
alter table public.credit_packs
  -- The table has a few rows.
  -- squawk-ignore constraint-missing-not-valid
  add constraint credit_packs_credits_fit check (credits <= 1000000000);
