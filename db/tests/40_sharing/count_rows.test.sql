-- Direct inserts count into the caller's rate.
begin;
select plan(5);

update app.settings set share_writes_per_minute = 1;
select tests.become('anon');
select lives_ok(
  $$ insert into public.characters (name) values ('one') $$, 'accepts an insert within the rate'
);
select throws_like(
  $$ insert into public.sessions (title) values ('two') $$,
  '%rate_limited%', 'refuses a session above the rate'
);
select throws_like(
  $$ insert into public.flows (name, nodes, edges) values ('x', '[]', '[]') $$,
  '%rate_limited%', 'refuses a flow above the rate'
);

reset role;
update app.settings set share_writes_per_minute = 100;
delete from app.rate_limits;
select tests.become('anon');
select lives_ok(
  $$ insert into public.flows (name, nodes, edges) values ('x', '[]', '[]') $$,
  'given: the caller has used a hundredth of the rate'
);
select throws_like(
  $$
    insert into public.flows (name, nodes, edges)
    select '', '[]', '[]' from generate_series(1, 50000)
  $$,
  '%rate_limited%', 'counts empty rows'
);

select * from finish();
rollback;
