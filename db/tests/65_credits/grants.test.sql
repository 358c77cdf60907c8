-- Grants: credits that come, expire and are taken back, also while holds are open, and debts.
begin;
select plan(41);
select tests.announce_versions();
select tests.create_paid_type();
create temporary table known (ana uuid, ben uuid, run bigint, other bigint, "grant" uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');

-- Grants and their keys
update known set "grant" = tests.grant_credits(ana, 10, 'order 1', '100 days');
select is(tests.balance_of(ana), '10 0 0', 'a grant adds credits') from known;
select is(
  tests.grant_credits(ana, 10, 'order 1', '100 days'), "grant",
  'the same grant again returns the first'
)
from known;
select is(tests.balance_of(ana), '10 0 0', 'the same grant again adds nothing') from known;
select is(
  tests.refusal_of(
    format('select tests.grant_credits(%L, 11, ''order 1'', ''100 days'')', ana)
  ) ->> 'slug',
  'idempotency_key_taken',
  'refuses the key of another grant'
)
from known;
select is(
  tests.refusal_of(
    format('select app.grant_credits(%L, 11, ''pack'', ''order 1'', null, ''k'')', ana)
  ) ->> 'slug',
  'idempotency_key_taken',
  'refuses the reference of another grant'
)
from known;
select isnt(
  app.grant_credits(ana, 1, 'bonus', 'order 1', null, 'order 1'), null,
  'another source has its own keys'
)
from known;
select isnt(tests.grant_credits(ben, 11, 'order 1'), null, 'another user has their own keys')
from known;
select is(
  tests.refusal_of(format('select tests.grant_credits(%L, %s, ''big'')', ana, amount)) ->> 'slug',
  slug,
  format('refuses a grant of %s credits: %s', amount, slug)
)
from known
cross join (
  values
    ('0', 'credits_invalid'), ('-1', 'credits_invalid'), ('1000000001', 'credits_invalid'),
    ('null', 'credits_invalid'), ('1000000000', 'credits_too_many')
) as a (amount, slug);

-- Expiry
select tests.grant_credits(ana, 5, 'day', '1 day') from known;
update known set run = tests.submit_paid(ana, 2, 'a'), other = tests.submit_paid(ana, 1, 'b');
select is(tests.balance_of(ana), '16 3 0', 'the grant has open holds') from known;
select is(app.expire_credits(), 0, 'no grant has expired yet');
select tests.travel('2 days');
select is(app.expire_credits(), 1, 'the expired grant is found');
select is(tests.balance_of(ana), '14 3 0', 'expiry takes only what no hold reserves') from known;
select is(app.expire_credits(), 0, 'expiry happens once');
select app.release_hold(run) from known;
select is(
  tests.balance_of(ana), '12 1 0',
  'credits that a hold gives back to an expired grant expire at once'
)
from known;
select app.capture_hold(other) from known;
select is(tests.balance_of(ana), '11 0 0', 'a hold of an expired grant can be captured') from known;
select results_eq(
  $$ select kind, sum(amount)::integer from credit_entries
     where grant_id = (select id from credit_grants where reference = 'day')
     group by kind order by kind $$,
  $$ values ('charge', -1), ('expiry', -4), ('grant', 5) $$,
  'the ledger says what became of the grant'
);

-- Refunds
select is(app.take_back_credits("grant", 4, 'Refund.'), 4, 'a refund takes credits back')
from known;
select is(tests.balance_of(ana), '7 0 0', 'the refunded credits are gone') from known;
select is(app.take_back_credits("grant", 4, 'Refund.'), 0, 'the same refund again takes nothing')
from known;
select is(app.take_back_credits("grant", 3, 'Refund.'), 0, 'a smaller total takes nothing')
from known;
select is(
  tests.refusal_of(format('select app.take_back_credits(%L, 11, ''x'')', "grant")) ->> 'slug',
  'credits_invalid',
  'refuses a refund of more than the grant'
)
from known;
update known set run = tests.submit_paid(ana, 5, 'c'), other = tests.submit_paid(ana, 1, 'd');
select is(tests.balance_of(ana), '7 6 0', 'holds reserve what is left') from known;
select is(app.take_back_credits("grant", 10, 'Refund.'), 6, 'the rest of the grant is refunded')
from known;
select is(
  tests.balance_of(ana), '7 6 6', 'reserved credits stay, and the rest of the refund is a debt'
)
from known;
select is_empty('select * from ops.credit_faults', 'balances add up while holds are open');
select app.release_hold(run) from known;
select is(
  tests.balance_of(ana), '2 1 1', 'credits that a hold gives back to a refunded grant pay the debt'
)
from known;
select app.capture_hold(other) from known;
select is(tests.balance_of(ana), '1 0 1', 'a captured hold of a refunded grant stays a debt')
from known;

-- Debts
select is(
  app.take_back_credits(id, 11, 'Refund.'), 11, 'credits that were spent can be refunded'
)
from credit_grants
where user_id = (select ben from known);
select is(tests.balance_of(ben), '0 0 0', 'nothing was spent, so nothing is owed') from known;
select tests.grant_credits(ben, 8, 'order 2') from known;
update known set run = tests.submit_paid(ben, 6, 'e');
select app.take_back_credits(id, 8, 'Refund.') from credit_grants where reference = 'order 2';
select is(tests.balance_of(ben), '6 6 6', 'a refund of reserved credits is a debt') from known;
select tests.grant_credits(ben, 4, 'order 3') from known;
select is(tests.balance_of(ben), '6 6 2', 'a grant repays the debt first') from known;
select app.release_hold(run) from known;
select is(
  tests.balance_of(ben), '4 0 0',
  'once a grant has repaid a part of the debt, this part of the released credits stays'
)
from known;
select tests.grant_credits(ben, 4, 'order 4') from known;
update known set run = tests.submit_paid(ben, 8, 'f');
select app.capture_hold(run) from known;
select app.take_back_credits(id, 4, 'Refund.') from credit_grants where reference = 'order 4';
select is(tests.balance_of(ben), '0 0 4', 'a refund of spent credits is a debt') from known;
select tests.grant_credits(ben, 3, 'order 5'), tests.grant_credits(ben, 3, 'order 6') from known;
select is(tests.balance_of(ben), '2 0 0', 'grants repay a debt until nothing is owed') from known;
select results_eq(
  $$ select kind, amount from credit_entries
     where grant_id = (select id from credit_grants where reference = 'order 6') order by id $$,
  $$ values ('grant', 2), ('repayment', 1) $$,
  'the ledger shows which part of a grant repaid the debt'
);
select results_eq(
  $$ select reference, ended_at is not null from credit_grants
     where reference in ('order 5', 'order 6') order by reference $$,
  $$ values ('order 5', true), ('order 6', false) $$,
  'a grant that a debt uses up ends at once'
);
select is_empty('select * from ops.credit_faults', 'all of it adds up');

select * from finish();
rollback;
