-- reserve_template_upload and publish_template_upload, as npm run upload-bundle calls them.
begin;
select plan(20);

-- Given a parser that counts its calls
create sequence tests.parses;
do $$ begin
  execute replace(
    pg_get_functiondef('app.parse_template_files'::regproc), 'parse_template_files',
    'parse_uncounted'
  );
end $$;
create or replace function app.parse_template_files(
  version text, artifacts jsonb, prompts jsonb
) returns app.template_file[]
  language plpgsql volatile
as $$
begin
  perform nextval('tests.parses');
  return app.parse_uncounted(version, artifacts, prompts);
end
$$;
create function pg_temp.count_parses() returns integer language plpgsql as $$
declare
  v_count integer;
begin
  select case when p.is_called then p.last_value else 0 end into v_count from tests.parses as p;
  perform setval('tests.parses', 1, false);
  return v_count;
end
$$;
create function pg_temp.reserve(version text) returns uuid language sql as $$
  select app.reserve_template_upload(
    'demo', version, tests.template_files(version), tests.template_prompts(version)
  )
$$;
create function pg_temp.publish(
  version text, upload_id uuid, set_default boolean default false
) returns json
  language sql as $$
  select app.publish_template_upload(
    'demo', version, upload_id, 'First.', 'stable', set_default, null
  )
$$;
create function pg_temp.files(version text)
  returns table (
    kind text, role text, locale text, storage_path text, sha256 text, size_bytes integer,
    content_type text
  )
  language sql as $$
  select a.kind, null, a.locale, a.storage_path, a.sha256, a.size_bytes, a.content_type
  from public.artifacts as a join public.template_versions as v on v.id = a.template_version_id
  where v.semver = files.version
  union all
  select null, p.role, p.locale, p.storage_path, p.sha256, null, null
  from public.prompts as p join public.template_versions as v on v.id = p.template_version_id
  where v.semver = files.version
  order by 4
$$;

-- When a version is reserved and published
create temporary table uploads as select '1.0.0' as version, pg_temp.reserve('1.0.0') as id;
select is(pg_temp.count_parses(), 1, 'reserving an upload parses its JSON once');
select is(
  (select pg_temp.publish('1.0.0', u.id, true) from uploads as u)::jsonb - 'version_id',
  '{"template": "demo", "version": "1.0.0", "status": "stable", "is_new": true,
    "is_default": true}'::jsonb,
  'publishes the files of an upload and makes the version the default'
);
select is(pg_temp.count_parses(), 0, 'publishing an upload parses no JSON');
select results_eq(
  $$ select * from pg_temp.files('1.0.0') $$,
  $$
    select f.*
    from unnest(
      app.parse_uncounted('1.0.0', tests.template_files('1.0.0'), tests.template_prompts('1.0.0'))
    ) as f
    order by f.storage_path
  $$,
  'stores exactly the files that were reserved'
);
select is_empty($$ select 1 from app.template_uploads $$, 'deletes the rows of a published upload');
select is(
  pg_temp.reserve('1.0.0'), null,
  'reserves nothing for a version that is published with the same files'
);
select pg_temp.count_parses();
select public.publish_template_version('demo', '1.1.0', tests.template_files('1.1.0'));
select is(pg_temp.count_parses(), 1, 'publish_template_version parses its JSON once');
select app.check_publication('demo', '1.1.0', tests.template_files('1.1.0'), '[]');
select is(pg_temp.count_parses(), 1, 'check_publication parses its JSON once');

-- When an upload is published that is not complete
select throws_ok(
  format('select pg_temp.publish(''1.2.0'', %L)', gen_random_uuid()),
  'PT409', 'This upload took too long, another upload replaced it, or an earlier release began it.',
  'refuses an upload that was never reserved'
);
insert into uploads select '2.0.0', pg_temp.reserve('2.0.0');
select throws_ok(
  format('select pg_temp.publish(''2.0.1'', %L)', id),
  'PT409', 'This upload took too long, another upload replaced it, or an earlier release began it.',
  'refuses to publish an upload under another version'
)
from uploads where version = '2.0.0';
insert into uploads select '3.0.0', pg_temp.reserve('3.0.0');
delete from app.template_uploads where storage_path = 'demo/v3.0.0/main.fr.md';
select throws_ok(
  format('select pg_temp.publish(''3.0.0'', %L)', id),
  'PT409', 'This upload took too long, another upload replaced it, or an earlier release began it.',
  'refuses an upload of which the sweep has taken one object'
)
from uploads where version = '3.0.0';
select is(
  (
    select app.renew_template_upload(
      '3.0.0', tests.template_files('3.0.0'), tests.template_prompts('3.0.0'), u.id
    )
    from uploads as u where u.version = '3.0.0'
  ),
  false,
  'renewing tells that one object of the upload is gone'
);
select throws_ok(
  format('select pg_temp.publish(''3.0.0'', %L)', id),
  'PT409', 'This upload took too long, another upload replaced it, or an earlier release began it.',
  'refuses an upload whose objects were only announced to the sweep'
)
from uploads where version = '3.0.0';
insert into uploads select '4.0.0', pg_temp.reserve('4.0.0');
update app.template_uploads set claimed_at = app.now(), claim_id = gen_random_uuid()
where storage_path = 'demo/v4.0.0/main.fr.md';
select throws_ok(
  format('select pg_temp.publish(''4.0.0'', %L)', id),
  'PT409', 'The worker is deleting objects of an earlier upload of this version.',
  'refuses an upload of which the worker deletes an object'
)
from uploads where version = '4.0.0';

-- Given an upload that another upload of the same version, with other files, has replaced
insert into uploads select '7.0.0', pg_temp.reserve('7.0.0');
select tests.travel('2 minutes');
select app.reserve_template_upload('demo', '7.0.0', tests.template_files('7.0.0', 'c'), '[]');
select throws_ok(
  format('select pg_temp.publish(''7.0.0'', %L)', id),
  'PT409', 'This upload took too long, another upload replaced it, or an earlier release began it.',
  'refuses an upload that another upload replaced'
)
from uploads where version = '7.0.0';
select throws_ok(
  format(
    'select public.publish_template_version(''demo'', ''7.0.0'', tests.template_files(''7.0.0''), '
    'upload_id => %L)',
    id
  ),
  'PT409', 'This upload took too long, or another upload replaced it.',
  'refuses the files of an upload that another upload replaced'
)
from uploads where version = '7.0.0';

-- Given an upload that an earlier release began: its rows have only path and hash
insert into uploads values ('5.0.0', gen_random_uuid());
insert into app.template_uploads (storage_path, upload_id, sha256, started_at)
select f.storage_path, u.id, f.sha256, app.now()
from uploads as u
cross join unnest(
  app.parse_uncounted('5.0.0', tests.template_files('5.0.0'), tests.template_prompts('5.0.0'))
) as f
where u.version = '5.0.0';
select throws_ok(
  format('select pg_temp.publish(''5.0.0'', %L)', id),
  'PT409', 'This upload took too long, another upload replaced it, or an earlier release began it.',
  'refuses to publish rows without the columns of their files'
)
from uploads where version = '5.0.0';
select is(
  (
    select app.renew_template_upload(
      '5.0.0', tests.template_files('5.0.0'), tests.template_prompts('5.0.0'), u.id
    )
    from uploads as u where u.version = '5.0.0'
  ),
  true,
  'an upload of an earlier release can be renewed'
);
select is(
  (
    select public.publish_template_version(
      'demo', '5.0.0', tests.template_files('5.0.0'), tests.template_prompts('5.0.0'),
      upload_id => u.id
    )::jsonb ->> 'is_new'
    from uploads as u where u.version = '5.0.0'
  ),
  'true',
  'the earlier release''s own command publishes its upload, with the JSON'
);
insert into app.template_uploads (storage_path, upload_id, sha256, started_at)
select f.storage_path, gen_random_uuid(), f.sha256, app.now()
from unnest(
  app.parse_uncounted('6.0.0', tests.template_files('6.0.0'), tests.template_prompts('6.0.0'))
) as f;
insert into uploads select '6.0.0', pg_temp.reserve('6.0.0');
select is(
  (
    select pg_temp.publish('6.0.0', u.id) from uploads as u where u.version = '6.0.0'
  )::jsonb ->> 'is_new',
  'true',
  'a new reservation replaces the rows of an earlier release'
);

select * from finish();
rollback;
