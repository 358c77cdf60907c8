-- ops.credit_faults names each thing that does not add up.
begin;
select plan(12);
select tests.create_paid_type();
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');
select tests.grant_credits(ana, 10, 'order') from known;
update known set run = tests.submit_paid(ana, 3);
select is_empty('select * from ops.credit_faults', 'a right balance has no faults');
select is(app.check_credits(), 0, 'the schedule ends after one call');

-- Given faults that no function can make
create function pg_temp.faults_after(command text) returns text language plpgsql as $$
declare
  v_faults text;
begin
  perform set_config('plinth.changes_credits', 'on', true);
  execute command;
  v_faults := (
    select string_agg(distinct f.fault, ' ' order by f.fault) from ops.credit_faults as f
  );
  raise exception using errcode = 'TE001', message = coalesce(v_faults, 'none');
exception
  when sqlstate 'TE001' then
    return sqlerrm;
end
$$;
select is(pg_temp.faults_after(command), faults, format('finds: %s', left(command, 60)))
from (
  values
    (
      'update users set credits = 11',
      'balance_differs_from_grants balance_differs_from_ledger'
    ),
    ('update users set credits_held = 2', 'held_differs_from_grants held_differs_from_holds'),
    (
      'update users set credits_owed = 2', 'balance_differs_from_ledger debt_differs_from_ledger'
    ),
    (
      'update credit_grants set remaining = 9',
      'balance_differs_from_grants grant_differs_from_ledger'
    ),
    (
      'update credit_grants set reserved = 2',
      'held_differs_from_grants reserved_differs_from_holds'
    ),
    ('update credit_grants set due = 1', 'refund_exceeds_debt'),
    (
      'insert into credit_entries (user_id, kind, amount) select ana, ''grant'', 1 from known',
      'balance_differs_from_ledger'
    ),
    (
      'update app.credit_hold_grants set amount = 2',
      'hold_differs_from_grants reserved_differs_from_holds'
    ),
    ('update app.runs set finished_at = now()', 'hold_outlives_run'),
    (
      'update credit_holds set status = ''released'', ended_at = now()', 'held_differs_from_holds'
    )
) as a (command, faults);

select * from finish();
rollback;
