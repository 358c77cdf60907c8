-- Operators correct balances with a reason and a key.
begin;
select plan(22);
select tests.create_paid_type();
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');
grant select on known to public;
create function pg_temp.adjust(amount numeric, key text, reason text default 'Sorry.') returns text
language sql as $$
  select format('%s %s %s', a.credits, a.credits_held, a.credits_owed)
  from adjust_credits((select ana from known), adjust.amount, adjust.reason, adjust.key) as a;
$$;
grant execute on function pg_temp.adjust(numeric, text, text) to public;

select tests.become('service_role');
select is(pg_temp.adjust(10, 'a'), '10 0 0', 'adds credits and returns the balance');
select is(pg_temp.adjust(10, 'a'), '10 0 0', 'the same key again changes nothing');
select is(pg_temp.adjust(-4, 'b'), '6 0 0', 'subtracts credits');
select is(pg_temp.adjust(-4, 'b'), '6 0 0', 'the same subtraction again changes nothing');
select is(pg_temp.adjust(-10, 'c'), '0 0 4', 'subtracted credits that are spent become a debt');
select is(pg_temp.adjust(-10, 'c'), '0 0 4', 'a debt is added once');
select is(pg_temp.adjust(3, 'd'), '0 0 1', 'added credits repay the debt first');
select is(pg_temp.adjust(3, 'd'), '0 0 1', 'a repayment happens once');
select is(pg_temp.adjust(8, 'e'), '7 0 0', 'the rest of added credits can be spent');
select is(pg_temp.adjust(8, 'e'), '7 0 0', 'an addition with a repayment happens once');
select results_eq(
  'select kind, amount, reason from credit_entries order by id',
  $$ values ('adjustment', 10, 'Sorry.'), ('adjustment', -4, 'Sorry.'),
     ('adjustment', -6, 'Sorry.'), ('debt', -4, 'Sorry.'), ('repayment', 3, 'Sorry.'),
     ('adjustment', 7, 'Sorry.'), ('repayment', 1, 'Sorry.') $$,
  'the ledger says why'
);

select is(
  tests.refusal_of(format('select pg_temp.adjust(%s)', arguments)) ->> 'slug',
  slug,
  format('refuses (%s): %s', left(arguments, 40), slug)
)
from (
  values
    ('11, ''a''', 'idempotency_key_taken'), ('0, ''f''', 'credits_invalid'),
    ('1.5, ''f''', 'credits_invalid'), ('1e30, ''f''', 'credits_invalid'),
    ('''NaN'', ''f''', 'credits_invalid'), ('null, ''f''', 'credits_invalid'),
    ('1000000000, ''f''', 'credits_too_many'), ('1, null', 'idempotency_key_invalid'),
    ('1, ''f'', ''''', 'reason_invalid')
) as a (arguments, slug);
select is(
  tests.refusal_of(
    format('select adjust_credits(%L, -5, ''x'', ''x'')', gen_random_uuid())
  ) ->> 'slug',
  'owner_not_found',
  'refuses an unknown user'
);

reset role;
select is_empty('select * from ops.credit_faults', 'all of it adds up');
select * from finish();
rollback;
