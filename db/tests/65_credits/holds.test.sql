-- Holds: placed with a run, captured when its step completes, released when the run ends otherwise.
begin;
select plan(36);
select tests.announce_versions();
select tests.create_paid_type();
create temporary table known (ana uuid, ben uuid, run bigint, other bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
select tests.grant_credits(ana, 10, 'forever'), tests.grant_credits(ana, 3, 'week', '7 days'),
  tests.grant_credits(ana, 4, 'day', '1 day')
from known;

-- When a run is submitted with a hold
update known set run = tests.submit_paid(ana, 5);
select is(tests.balance_of(ana), '17 5 0', 'a hold reserves credits') from known;
select results_eq(
  'select reference, reserved, remaining from credit_grants order by reserved desc',
  $$ values ('day', 4, 4), ('week', 1, 3), ('forever', 0, 10) $$,
  'a hold reserves from the grant that expires first'
);
select results_eq(
  'select status, amount, reason, run_id, ended_at from credit_holds',
  $$ select 'open', 5, 'A portrait.', run, null::timestamptz from known $$,
  'a hold says for which run and why it reserves'
);
select is_empty('select from credit_usage', 'a hold charges nothing yet');
select is(
  app.place_hold(ana, run, 5, 'Again.'),
  (select id from credit_holds),
  'the same hold again returns the first hold'
)
from known;
select is(tests.balance_of(ana), '17 5 0', 'the same hold again reserves nothing') from known;
select is(
  tests.refusal_of(format('select app.place_hold(%L, %s, 6, ''x'')', ana, run)) ->> 'slug',
  'hold_exists',
  'refuses a second hold of a run with another amount'
)
from known;
select is(
  tests.refusal_of(format('select app.place_hold(%L, %s, 5, ''x'')', ben, run)) ->> 'slug',
  'hold_exists',
  'refuses a second hold of a run for another user'
)
from known;

-- When the step completes
select tests.claim_steps();
select tests.hand_in_result('work');
select is(tests.balance_of(ana), '12 0 0', 'a captured hold is charged') from known;
select results_eq(
  'select amount from credit_entries where kind = ''charge'' order by amount',
  'values (-4), (-1)',
  'the ledger has an entry per grant'
);
select results_eq(
  'select user_id, run_id, credits, reason from credit_usage',
  $$ select ana, run, 5, 'A portrait.' from known $$,
  'credit_usage has one row per charge'
);
select is(
  (select status || ' ' || (ended_at is not null) from credit_holds), 'captured true',
  'the hold is captured'
);
select is_empty('select from app.credit_hold_grants', 'a captured hold reserves nothing');
select isnt(
  (select ended_at from credit_grants where reference = 'day'), null,
  'a grant without credits has ended'
);
select app.capture_hold(run), app.release_hold(run) from known;
select is(tests.balance_of(ana), '12 0 0', 'a second capture or release changes nothing')
from known;

-- When a run fails, is cancelled, or is deleted
update known set run = tests.submit_paid(ana, 5, 'fails');
select tests.claim_steps();
select tests.hand_in_result(
  'fails', '{"outcome": "failed", "slug": "broken", "message": "x", "permanent": true}'
);
select is(tests.status_of('fails'), 'failed', 'the run has failed');
select is(tests.balance_of(ana), '12 0 0', 'a failed run releases its hold') from known;
update known set run = tests.submit_paid(ana, 5, 'cancelled');
select app.cancel_runs(array[run]) from known;
select is(tests.balance_of(ana), '12 0 0', 'a cancelled run releases its hold') from known;
update known set run = tests.submit_paid(ana, 5, 'deleted');
delete from app.runs where id = (select run from known);
select is(tests.balance_of(ana), '12 0 0', 'a deleted run releases its hold') from known;
select results_eq(
  'select status, count(*)::integer from credit_holds group by status order by status',
  $$ values ('captured', 1), ('released', 3) $$,
  'each of these holds is released'
);
select is(
  (select count(*) from credit_entries where kind = 'charge'), 2::bigint,
  'a released hold leaves no entry'
);

-- When a callback of the step raises
create function app.refuse_capture(job_ids bigint[]) returns void language plpgsql as $$
begin
  perform app.capture_holds(job_ids);
  raise exception 'The product is broken.';
end
$$;
select app.register_callbacks(
  'paid', on_completed => 'app.refuse_capture', on_run_ended => 'app.release_holds'
);
update known set run = tests.submit_paid(ana, 5, 'raises');
select tests.claim_steps();
select tests.hand_in_result('raises');
select is(
  (select error_slug from jobs where key = 'raises'), 'callback_failed',
  'the step fails if its callback raises'
);
select is(
  tests.balance_of(ana), '12 0 0', 'a capture in a callback that raises is undone, and released'
)
from known;

-- When the release raises, the hold outlives its run until the callback is repeated
create function app.refuse_release(job_ids bigint[]) returns void language plpgsql as $$
begin
  raise exception 'The product is broken.';
end
$$;
select app.register_callbacks('paid', on_run_ended => 'app.refuse_release');
update known set run = tests.submit_paid(ana, 5, 'stuck');
select app.cancel_runs(array[run]) from known;
select is(
  tests.balance_of(ana), '12 5 0', 'a hold stays open while the end of its run is not processed'
)
from known;
select is_empty('select from ops.credit_faults', 'a stored callback explains an open hold');
create or replace function app.refuse_release(job_ids bigint[]) returns void language sql
  as 'select app.release_holds(job_ids)';
update app.callback_faults set next_at = '-infinity';
select app.repeat_callbacks();
select is(tests.balance_of(ana), '12 0 0', 'the repeated callback releases the hold') from known;

-- When a hold becomes too old
select app.register_callbacks(
  'paid', on_completed => 'app.capture_holds', on_run_ended => 'app.release_holds'
);
update known set run = tests.submit_paid(ana, 5, 'old');
select is(app.cancel_overdue_holds(), 0, 'a young hold keeps its run');
select tests.travel('25 hours');
select is(app.cancel_overdue_holds(), 1, 'the run of an old hold is cancelled');
select is(tests.status_of('old'), 'cancelled', 'the run is cancelled');
select is(tests.balance_of(ana), '12 0 0', 'the end of the run releases the hold') from known;
select tests.grant_credits(ben, 600, 'many') from known;
select count(app.place_hold(ben, 900000 + n, 1, 'A run that ended long ago.'))
from known, generate_series(1, 500) as n;
select tests.travel('26 hours');
update known set run = tests.submit_paid(ben, 5, 'behind');
select tests.travel('52 hours');
select is(
  app.cancel_overdue_holds(), 1, 'five hundred older holds whose runs ended do not fill the batch'
);
select is(tests.status_of('behind'), 'cancelled', 'the run behind them is cancelled');
select app.release_holds(array(select run_id from credit_holds where status = 'open'));
delete from credit_holds where run_id > 900000 or reason = 'behind';
select tests.travel('91 days');
select is(app.delete_ended_holds(), 6, 'holds are deleted 90 days after their end');

-- Refusals
select is(
  tests.refusal_of(format('select tests.submit_paid(%L, 13)', ana)) - 'hint',
  '{"code": "PT402", "slug": "credits_insufficient",
    "message": "This costs 13 credits, and 10 are available."}',
  'refuses a hold that costs more than there is, expired credits left out'
)
from known;
select is(
  tests.refusal_of(
    format('select app.place_hold(%L, 1, 1, ''x'')', gen_random_uuid())
  ) ->> 'slug',
  'owner_not_found',
  'refuses a hold of an unknown user'
);
select is_empty('select * from ops.credit_faults', 'all of it adds up');

select * from finish();
rollback;
