-- submit_run inserts a run once per owner and idempotency key, for service_role only.
begin;
select plan(26);

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
  tests.refusal_of($$ select submit_run('[]', null, 'list') $$) as keyed_list,
  tests.refusal_of($$ select submit_run(null, null, 'missing') $$) as keyed_missing,
  tests.refusal_of(
    $$ select submit_run('{"key": "r", "type": "group"}', gen_random_uuid()) $$
  ) as stranger,
  tests.refusal_of($$ select submit_run('{"key": "r", "type": "group"}', null, '') $$) as empty,
  tests.refusal_of(
    $$ select submit_run('{"key": "r", "type": "group"}', null, repeat('x', 201)) $$
  ) as long;
grant select on refused to public;

-- Given a run of Ana's with a key
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [{"key": "a", "type": "noop", "input": {"n": 1, '
  '"m": 2}}]}',
  ana,
  'first'
);
create function tests.resubmit(spec jsonb, key text default 'first') returns bigint language sql
return submit_run(spec, (select ana from known), key);
grant execute on function tests.resubmit(jsonb, text) to public;
select tests.become('service_role');

-- When a request means the same
select is(
  tests.resubmit(
    '{"steps": [{"input": {"m": 2, "n": 1}, "type": "noop", "key": "a"}], "type": "group", '
    '"key": "root"}'
  ),
  (select run from known),
  'returns the first run for the same spec in another order of keys'
);
select is(
  tests.resubmit(
    '{"key": "root", "type": "group", "input": null, "depends_on": [], "priority": 0,
      "collect": null, "on_failure": null,
      "steps": [{"key": "a", "type": "noop", "input": {"n": 1, "m": 2}, "steps": [],
        "on_failure": "fail_run"}]}'
  ),
  (select run from known),
  'returns the first run for the same spec with its defaults'
);

-- When a request with the key means something else
select is(
  tests.refusal_of(format('select tests.resubmit(%L)', o.spec)) ->> 'slug',
  'idempotency_key_taken',
  format('refuses the key of a run with another %s', o.what)
)
from (
  values
    (
      'key',
      '{"key": "b", "type": "group", "steps": [{"key": "a", "type": "noop", "input": {"n": 1, '
      '"m": 2}}]}'
    ),
    (
      'input',
      '{"key": "root", "type": "group", "steps": [{"key": "a", "type": "noop", "input": {"n": 1, '
      '"m": 3}}]}'
    ),
    (
      'number',
      '{"key": "root", "type": "group", "steps": [{"key": "a", "type": "noop", '
      '"input": {"n": 1.0, "m": 2}}]}'
    ),
    (
      'type',
      '{"key": "root", "type": "group", "steps": [{"key": "a", "type": "group", "input": {"n": 1, '
      '"m": 2}}]}'
    ),
    (
      'on_failure',
      '{"key": "root", "type": "group", "on_failure": "continue",
        "steps": [{"key": "a", "type": "noop", "input": {"n": 1, "m": 2}}]}'
    ),
    ('list of steps', '{"key": "root", "type": "group"}'),
    (
      'nesting',
      '{"key": "root", "type": "group", "steps": [{"key": "a", "type": "noop",
        "input": {"n": 1, "m": 2}, "steps": [{"key": "a", "type": "noop"}]}]}'
    )
) as o (what, spec);
select is(
  tests.refusal_of($$
    select tests.resubmit('{"key": "root", "type": "unknown"}')
  $$) - '{message}'::text[],
  '{"code": "PT409", "slug": "idempotency_key_taken",
    "hint": "Send a new key with a new request, or repeat the first request unchanged."}',
  'refuses the key before it looks at the types of another spec'
);
select is(
  (select count(*) from jobs as j where j.owner_id = (select ana from known)),
  2::bigint,
  'inserts no step for a request that it refuses'
);

-- When the run is from a release that stored no hash
reset role;
update app.runs set request_hash = null where id = (select run from known);
select tests.become('service_role');
select is(
  tests.resubmit('{"key": "root", "type": "noop"}'),
  (select run from known),
  'returns the first run for any spec if the run was submitted by an older release'
);

-- When others use the key
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
select is(
  tests.refusal_of($$
    select submit_run('{"key": "root", "type": "group"}', null, 'first')
  $$) ->> 'slug',
  'idempotency_key_taken',
  'refuses another spec for the same key without an owner'
);

-- When the request is malformed
select is(list ->> 'slug', 'spec_invalid', 'refuses a spec that is not an object') from refused;
select is(missing ->> 'slug', 'spec_invalid', 'refuses a spec that is null') from refused;
select is(keyed_list ->> 'slug', 'spec_invalid', 'refuses a list with a key') from refused;
select is(keyed_missing ->> 'slug', 'spec_invalid', 'refuses null with a key') from refused;
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
select is(
  long ->> 'slug',
  'idempotency_key_invalid',
  'refuses an idempotency key of 201 characters'
) from refused;
select ok(
  (
    select bool_and(e.value ->> 'hint' is not null)
    from refused as r cross join lateral jsonb_each(to_jsonb(r)) as e
  ),
  'gives each refusal a hint'
);

-- When a request with a new key is refused
select tests.refusal_of($$ select tests.resubmit('{"key": "r", "type": "unknown"}', 'new') $$);
select ok(
  tests.resubmit('{"key": "r", "type": "noop"}', 'new') > (select run from known),
  'does not use up the key of a refused request'
);
select is(
  tests.refusal_of(
    format(
      'select tests.resubmit(%L, %L)',
      jsonb_build_object('key', 'r', 'type', 'noop', 'steps', '[[], 1, {"steps": 2}, null]'::jsonb),
      'odd'
    )
  ) ->> 'slug',
  'step_invalid',
  'refuses a malformed list of steps with a key'
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
