-- Comments on the tables, columns and types of this module.

comment on column app.settings.credit_hold_max is
  'How old a hold of credits can become before a schedule cancels its run. Must be longer than the '
  'longest run that has a hold.';
comment on column app.settings.credit_hold_retention is
  'How long a hold of credits is kept after it has ended. The ledger keeps its charge.';

comment on table public.credit_grants is
$$Credits that the caller received: from a plan, a pack, as a bonus or by an operator.

remaining: what is left. reserved: the part of remaining that open holds reserve.$$;
comment on column public.credit_grants.source is 'plan, pack, bonus or adjustment.';
comment on column public.credit_grants.taken_back is
  'How many credits of the grant were refunded, including those that became a debt.';
comment on column public.credit_grants.due is
  'How many reserved credits belong to a refund: if a hold gives them back, they repay the debt of '
  'the refund.';
comment on column public.credit_grants.reference is
  'The period of a free plan, or the id of an order.';
comment on column public.credit_grants.expires_at is
  'When the unused rest of the grant expires. Null: the grant does not expire.';
comment on column public.credit_grants.ended_at is
  'When the last credit of the grant was used. Null: credits remain.';

comment on table public.credit_holds is
$$Credits that are reserved for runs of the caller.

status: open; captured (the run was charged) or released (the run ended without a charge).$$;
comment on column public.credit_holds.reason is 'Names the thing that the user pays for.';
comment on column public.credit_holds.expires_at is
  'After this time, a schedule cancels the run. The end of the run releases the hold.';

comment on table app.credit_hold_grants is
  'How much an open hold reserves of each grant. The rows are deleted when the hold ends.';

comment on table public.credit_entries is
$$The ledger: one row for each change of the caller's credits or debt. Nothing changes a row.

The sum of amount is credits - credits_owed of the user.
kind: grant, charge, expiry, taken_back and adjustment change credits; debt and repayment change
credits_owed.$$;
comment on column public.credit_entries.user_id is 'Null: the user was deleted.';
comment on column public.credit_entries.charged is
  'The whole cost of the hold, on the first entry of its charge. A hold that reserved from several '
  'grants has an entry for each.';

comment on table app.credit_periods is
  'When the next period of a user begins, so that the schedule finds due users by an index.';

comment on type app.credit_movement is
$$One change of a grant and of the balance of its user, for app.apply_credits.

kind: hold, charge, release, or a kind of credit_entries. credits, reserved, owed: how much
users.credits, credits_held and credits_owed change, and remaining and reserved of the grant. due,
taken_back: how much these columns of the grant change. Null: no change.$$;
