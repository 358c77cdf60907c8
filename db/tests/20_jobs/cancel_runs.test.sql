-- Products call app.cancel_runs, also from callbacks: it cancels open runs, and skips ended ones.
begin;
select plan(7);
select tests.create_callbacks();
create temporary table known (ended bigint, open bigint, other bigint);
insert into known default values;

-- Given a completed run and two open ones
update known set ended = tests.submit_steps('', 'called');
select tests.claim_steps();
select tests.hand_in_result('root');
select tests.list_calls();
update known set
  open = tests.submit_steps('{"key": "a", "type": "plain"}', 'called'),
  other = tests.submit_steps('', 'called');
create temporary table before as
select to_jsonb(r) as run from app.runs as r where r.id = (select ended from known);

-- When all three are cancelled
select lives_ok(
  'select app.cancel_runs(array[other, ended, open]) from known',
  'accepts runs that have ended'
);
select is(
  (select status from jobs where id = (select ended from known)),
  'completed',
  'keeps the status of a run that has ended'
);
select results_eq(
  'select to_jsonb(r) from app.runs as r where r.id = (select ended from known)',
  'select run from before',
  'keeps the row of a run that has ended'
);
select results_eq(
  $$
    select distinct j.status
    from jobs as j cross join known as k
    where j.root_id in (k.open, k.other)
  $$,
  array['cancelled'],
  'cancels every step of the open runs'
);
select is(
  tests.list_calls(),
  'ended(root:cancelled root:cancelled)',
  'calls on_run_ended once for the open runs, and not for the other'
);
select lives_ok(
  'select app.cancel_runs(array[other, ended, open]) from known',
  'accepts the same runs again'
);
select is(tests.list_calls(), null, 'calls no callback when no run was open');

select * from finish();
rollback;
