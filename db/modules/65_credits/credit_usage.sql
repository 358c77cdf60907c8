-- public.credit_usage
--
-- Called by   clients
create or replace view public.credit_usage
  with (security_invoker = on)
as
select
  e.id,
  e.user_id,
  e.run_id,
  e.hold_id,
  e.charged as credits,
  e.reason,
  e.created_at
from public.credit_entries as e
where e.charged is not null;

comment on view public.credit_usage is
$$The charges of the caller: one row per captured hold, with the credits that it cost.

reason: what the user paid for. run_id: the run, which may have been deleted since. Origin 004.$$;
comment on column public.credit_usage.id is 'The id of the entry in credit_entries.';
comment on column public.credit_usage.user_id is 'Null: the user was deleted.';
comment on column public.credit_usage.run_id is 'The run, which may have been deleted since.';
comment on column public.credit_usage.hold_id is 'The captured hold.';
comment on column public.credit_usage.credits is 'The cost of the hold.';
comment on column public.credit_usage.reason is 'The purpose that the hold was placed for.';
comment on column public.credit_usage.created_at is 'The time of the capture.';

revoke all on public.credit_usage from anon, authenticated, service_role;
grant select on public.credit_usage to authenticated, service_role;
