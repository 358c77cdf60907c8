-- The functions that worker and sidecar may execute, and attempts to get around that list.
begin;
select plan(16);

create temporary view executable as
select r.role, format('%s.%s', n.nspname, p.proname) as function
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
cross join unnest(array['worker', 'sidecar']) as r (role)
where n.nspname in ('public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops')
  and has_function_privilege(r.role, p.oid, 'execute');
grant select on executable to public;

select set_eq(
  $$ select function from executable where role = 'worker' $$,
  array[
    'worker.claim_deleted_files', 'worker.confirm_deleted_files', 'worker.list_old_uploads',
    'worker.claim_deleted_media', 'worker.list_removable_media', 'worker.confirm_media_removal',
    'worker.find_unknown_media',
    'worker.claim_orphaned_assets', 'worker.claim_template_uploads',
    'worker.confirm_template_claim', 'worker.exchange_steps', 'worker.exchange_work',
    'worker.find_unknown_objects', 'worker.forget_assets', 'worker.forget_template_uploads',
    'worker.heartbeat',
    'worker.send_heartbeat', 'worker.requeue_lost_steps', 'worker.publish_runs',
    'worker.leave', 'worker.list_schedules',
    'worker.list_warnings', 'worker.mark_orphaned_assets', 'worker.ping', 'worker.read_outputs',
    'worker.record_template_use', 'worker.run_schedule', 'worker.template_manifest',
    'worker.read_generation', 'worker.read_order', 'worker.read_task', 'worker.start_task'
  ],
  'the worker may execute exactly these functions'
);
select set_eq(
  $$ select function from executable where role = 'sidecar' $$,
  array[
    'sidecar.admit_file', 'sidecar.admit_upload', 'sidecar.client_address_header',
    'sidecar.drop_upload',
    'sidecar.find_uploader', 'sidecar.list_warnings', 'sidecar.ping',
    'sidecar.record_asset', 'sidecar.record_paymob_callback', 'sidecar.record_paymob_callbacks',
    'sidecar.record_upload', 'sidecar.require_api_key',
    'sidecar.reserve_asset', 'sidecar.reserve_upload', 'sidecar.start_upload'
  ],
  'the sidecar may execute exactly these functions'
);
select set_eq(
  $$
    select r.role, n.nspname
    from pg_namespace as n
    cross join unnest(array['worker', 'sidecar']) as r (role)
    where has_schema_privilege(r.role, n.oid, 'usage')
      and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'tests', 'public', 'extensions')
  $$,
  $$ values ('worker', 'worker'::name), ('worker', 'graphile_worker'), ('sidecar', 'sidecar') $$,
  'each enters its own schema, and the worker the queue'
);
select is_empty(
  $$
    select r.role, n.nspname
    from pg_namespace as n
    cross join unnest(array['worker', 'sidecar', 'anon', 'authenticated']) as r (role)
    where has_schema_privilege(r.role, n.oid, 'create') and n.nspname !~ '^pg_(temp|toast)'
  $$,
  'none of them may create anything in any schema'
);
select is_empty(
  $$
    select r.role
    from unnest(
      array['worker', 'sidecar', 'anon', 'authenticated', 'service_role', 'authenticator']
    ) as r (role)
    where has_database_privilege(r.role, current_database(), 'create')
      or has_database_privilege(r.role, current_database(), 'temporary')
  $$,
  'none of them may create a schema or a temporary object'
);
select is_empty(
  $$
    select s.classid::regclass, s.objid from pg_shdepend as s
    where s.deptype = 'o' and s.refobjid in ('worker'::regrole, 'sidecar'::regrole)
  $$,
  'worker and sidecar own nothing'
);
select is_empty(
  $$
    select m.roleid::regrole, m.member::regrole from pg_auth_members as m
    where m.member in ('worker'::regrole, 'sidecar'::regrole)
  $$,
  'worker and sidecar are members of no role'
);
select is_empty(
  $$
    select r.role, c.oid::regclass from pg_class as c
    cross join unnest(array['worker', 'sidecar']) as r (role)
    where c.relnamespace in (
      'public'::regnamespace, 'app'::regnamespace, 'auth'::regnamespace, 'storage'::regnamespace
    )
      and c.relkind in ('r', 'p', 'v', 'm', 'S')
      and case
        when c.relkind = 'S'
        then has_sequence_privilege(r.role, c.oid, 'usage, select, update')
        else
          has_table_privilege(
            r.role, c.oid, 'select, insert, update, delete, truncate, references, trigger'
          )
          or has_any_column_privilege(r.role, c.oid, 'select, insert, update, references')
      end
  $$,
  'they hold no privilege on any table or sequence of ours'
);
select is_empty(
  $$
    select c.relname from pg_class as c
    where c.relnamespace = 'graphile_worker'::regnamespace
      and (
        has_table_privilege('worker', c.oid, 'trigger, references, truncate')
        and c.relkind in ('r', 'p', 'v')
      )
  $$,
  'on the queue the worker has nothing but select, insert, update and delete'
);
select is_empty(
  $$
    select p.oid::regprocedure from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    where (
      n.nspname in ('app', 'worker', 'sidecar', 'public', 'gate', 'graphile_worker')
      and p.proowner <> 'postgres'::regrole
    )
  $$,
  'everything a definer function can reach is owned by postgres'
);
select results_eq(
  $$
    select r.rolname::text collate "default", s.setting collate "default"
    from pg_roles as r cross join unnest(r.rolconfig) as s (setting)
    where r.rolname in ('worker', 'sidecar')
    order by 1, 2
  $$,
  $$
    values
      ('sidecar', 'client_connection_check_interval=2s'),
      ('sidecar', 'idle_in_transaction_session_timeout=30s'),
      ('sidecar', 'lock_timeout=2s'),
      ('sidecar', 'statement_timeout=10s'),
      ('sidecar', 'tcp_keepalives_count=3'),
      ('sidecar', 'tcp_keepalives_idle=30'),
      ('sidecar', 'tcp_keepalives_interval=10'),
      ('sidecar', 'tcp_user_timeout=20s'),
      ('worker', 'client_connection_check_interval=2s'),
      ('worker', 'idle_in_transaction_session_timeout=60s'),
      ('worker', 'statement_timeout=30s'),
      ('worker', 'tcp_keepalives_count=3'),
      ('worker', 'tcp_keepalives_idle=30'),
      ('worker', 'tcp_keepalives_interval=10'),
      ('worker', 'tcp_user_timeout=20s')
  $$,
  'both roles have limits for statements, idle transactions and dead clients, and the sidecar for '
  'waits for a lock'
);

-- And by attack.
select tests.become('worker');
select throws_ok('select id from public.users', '42501', null, 'the worker cannot read users');
select throws_ok(
  $$
    create trigger planted after insert on graphile_worker._private_jobs
    for each row execute function graphile_worker.tg_jobs__after_insert()
  $$,
  '42501',
  null,
  'the worker cannot plant a trigger on the queue'
);
select throws_ok(
  $$
    create or replace function graphile_worker.add_jobs(
      specs graphile_worker.job_spec[], job_key_preserve_run_at boolean default false
    ) returns setof graphile_worker._private_jobs language sql
    as 'select * from graphile_worker._private_jobs'
  $$,
  '42501',
  null,
  'the worker cannot replace what app.enqueue calls'
);
select throws_ok(
  $$ create function pg_temp.planted() returns void language sql as '' $$,
  '42501',
  null,
  'the worker cannot create a temporary function'
);
select tests.become('sidecar');
select throws_ok(
  'select worker.ping()',
  '42501', null, 'the sidecar cannot use the worker''s door'
);

select * from finish();
rollback;
