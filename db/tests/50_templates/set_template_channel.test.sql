-- public.set_template_channel: aliases of versions, and canaries.
begin;
select plan(19);

-- Given two stable versions, a prerelease and a draft
select tests.become('service_role');
select public.publish_template_version(
  'demo', '1.0.0', tests.template_files('1.0.0'), set_default => true
);
select public.publish_template_version('demo', v, tests.template_files(v))
from unnest(array['1.1.0', '2.0.0-rc.1']) as v;
select public.publish_template_version(
  'demo', '3.0.0', tests.template_files('3.0.0'), status => 'draft'
);

-- When an operator gives a version a name
select public.set_template_channel('demo', 'beta', '{"2.0.0-rc.1": 100}');
select is(
  tests.picked_version('beta'), '2.0.0-rc.1', 'a channel with one version of 100 is an alias of it'
);

-- When the channel or its weights are invalid
select throws_ok(
  format('select public.set_template_channel(''demo'', %L, %L)', channel, weights), code, null,
  format('refuses channel %s with weights %s', channel, weights)
)
from (values
  ('latest', '{}', 'PT422'), ('stable', '{}', 'PT422'), ('1.0.0', '{}', 'PT422'),
  ('a b', '{}', 'PT422'),
  ('beta', '[]', 'PT422'), ('beta', '{"1.0.0": 0}', 'PT422'), ('beta', '{"1.0.0": 101}', 'PT422'),
  ('beta', '{"1.0.0": "5"}', 'PT422'), ('beta', '{"1.0.0": 60, "1.1.0": 41}', 'PT422'),
  ('beta', '{"1.0.0": 1.5}', 'PT422'), ('beta', '{"9.9.9": 5}', 'PT404'),
  ('beta', '{"3.0.0": 5}', 'PT409')
) as bad (channel, weights, code);
select is(
  tests.picked_version('beta'), '2.0.0-rc.1', 'a refused change leaves the channel as it was'
);

-- When a version becomes a canary: a tenth, then a fifth of the callers
select public.set_template_channel('demo', 'default', '{"1.1.0": 10}');
reset role;
create temporary table tenth as
select k, tests.picked_version('default', 'user-' || k) as version
from generate_series(1, 3000) as k;
select ok(
  (
    select count(*) filter (where t.version = '1.1.0') between 240
    and 360
    and count(distinct t.version) = 2
    from tenth as t
  ),
  'a weight of 10 gives the version to a tenth of the callers'
);
select is_empty(
  $$
    select k from tenth where version <> tests.picked_version('default', 'user-' || k) and k <= 300
  $$,
  'the same key always gets the same version'
);
select is(
  tests.picked_version('default'), '1.0.0',
  'a caller without a key gets the version with the largest weight'
);
select public.set_template_channel('demo', 'default', '{"1.1.0": 20}');
create temporary table fifth as
select k, tests.picked_version('default', 'user-' || k) as version
from generate_series(1, 3000) as k;
select is_empty(
  $$
    select k
    from tenth
    join fifth using (k)
    where tenth.version = '1.1.0' and fifth.version <> '1.1.0'
  $$,
  'raising a weight takes the version from no caller that has it'
);
select ok(
  (select count(*) filter (where f.version = '1.1.0') between 500 and 700 from fifth as f),
  'a weight of 20 gives the version to a fifth of the callers'
);

select * from finish();
rollback;
