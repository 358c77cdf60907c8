-- submit_run inserts a run once per owner and idempotency key, for service_role only.
begin;
select plan(9);

insert into job_types (name) values ('noop');
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;

-- The refusals of malformed requests
create temporary view refused as
select
  tests.refusal_of($$ select submit_run('[]') $$) as list,
  tests.refusal_of($$ select submit_run(null) $$) as missing,
  tests.refusal_of(
    $$ select submit_run('{"key": "r", "type": "group"}', gen_random_uuid()) $$
  ) as stranger,
  tests.refusal_of($$ select submit_run('{"key": "r", "type": "group"}', null, '') $$) as empty;
grant select on refused to public;

-- Given a run of Ana's with a key
update known set run = app.submit_run('{"key": "root", "type": "noop"}', ana, 'first');
select tests.become('service_role');
select is(
  submit_run('{"key": "root", "type": "group"}', (select ana from known), 'first'),
  (select run from known),
  'returns the first run for the same key of the same owner, whatever the spec'
);
select isnt(
  submit_run('{"key": "root", "type": "noop"}', (select ben from known), 'first'),
  (select run from known),
  'submits another run for the same key of another owner'
);
select is(
  submit_run('{"key": "root", "type": "noop"}', null, 'first'),
  submit_run('{"key": "root", "type": "noop"}', null, 'first'),
  'returns the first run for the same key without an owner'
);

-- When the request is malformed
select is(list ->> 'slug', 'spec_invalid', 'refuses a spec that is not an object') from refused;
select is(missing ->> 'slug', 'spec_invalid', 'refuses a spec that is null') from refused;
select is(
  stranger ->> 'slug',
  'owner_not_found',
  'refuses an owner who does not exist'
) from refused;
select is(
  empty ->> 'slug',
  'idempotency_key_invalid',
  'refuses an empty idempotency key'
) from refused;
select ok(
  (
    select bool_and(e.value ->> 'hint' is not null)
    from refused as r cross join lateral jsonb_each(to_jsonb(r)) as e
  ),
  'gives each refusal a hint'
);

-- When a user submits a run
select tests.sign_in((select ana from known));
select throws_ok(
  $$ select submit_run('{"key": "root", "type": "noop"}') $$,
  '42501',
  null,
  'lets no user submit a run'
);

select * from finish();
rollback;
