-- The project's conventions, asked of the catalog. Each failing row is named.
begin;
select plan(35);

create temporary view our_functions as
select
  p.*,
  n.nspname as schema,
  format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as signature
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops');

create temporary view our_tables as
select c.*, format('%s.%s', n.nspname, c.relname) as relation
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and n.nspname in ('public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops');

select is_empty(
  'select relation from our_tables where not relrowsecurity', 'RLS is on for every table'
);
select is_empty(
  'select relation from our_tables where obj_description(oid, ''pg_class'') is null',
  'every table has a comment'
);
select is_empty(
  'select signature from our_functions where obj_description(oid, ''pg_proc'') is null',
  'every function has a comment'
);
select is_empty(
  $$
    select format('%s.%s', c.oid::regclass, a.attname)
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('c', 'v') and c.relnamespace = 'public'::regnamespace
      and col_description(c.oid, a.attnum) is null
  $$,
  'every column of a composite type or view of the API has a comment, which says if it may be null'
);
select is_empty(
  $$
    select signature from our_functions
    where prokind = 'f' and not coalesce(proconfig, '{}') @> '{"search_path=\"\""}'
      -- Postgres parsed the body when it made the function, and inlines such a function.
      and not (prosqlbody is not null and not prosecdef and proconfig is null and (
        schema = 'gate' or signature in (
          'app.read_address(value text)', 'app.try_request_slot(key text, slot integer)',
          'app.find_request_table()',
          'app.has_table_right(role text, request_table regclass, name text)'
        )
      ))
  $$,
  'every function has an empty search_path, or is an expression of the gate, which needs none'
);
select is_empty(
  $$
    select signature from our_functions
    where schema = 'gate' and proname <> 'become_key_owner'
      and (proconfig is not null or proisstrict)
  $$,
  'Postgres inlines the functions of the gate, which each request calls'
);
-- A procedure that commits cannot have one; it must then be closed to everyone but its owner.
select is_empty(
  $$
    select signature from our_functions
    where prokind <> 'f' and (prosecdef or exists (
      select from aclexplode(proacl) as a where a.grantee <> proowner
    ))
  $$,
  'a procedure, which has no search_path, is security invoker and closed to all other roles'
);
create temporary view open_functions as
select signature from our_functions
where exists (
  select from aclexplode(coalesce(proacl, acldefault('f', proowner))) as a where a.grantee = 0
);
select is_empty(
  'select signature from open_functions',
  'no function, procedure or aggregate is executable by public'
);
-- The rule above would see one: here is how each kind looks without our default privileges.
savepoint exposed;
alter default privileges grant execute on functions to public;
create function app.exposed() returns void language sql as '';
create procedure app.exposed_procedure() language sql as '';
create aggregate app.exposed_aggregate(integer) (sfunc = int4pl, stype = integer);
select set_eq(
  'select signature from open_functions',
  array['app.exposed()', 'app.exposed_procedure()', 'app.exposed_aggregate(integer)'],
  'a function, a procedure and an aggregate made without default privileges break this rule'
);
rollback to savepoint exposed;

-- With default privileges, nothing that postgres creates is open to anybody.
savepoint made;
do $$
declare
  v_schema text;
begin
  foreach v_schema in array array['public', 'app', 'worker', 'sidecar', 'gate'] loop
    execute format('create table %I.made (id bigint generated always as identity)', v_schema);
    execute format('create view %I.made_view as select 1 as one', v_schema);
    execute format('create sequence %I.made_sequence', v_schema);
    execute format('create function %I.made() returns void language sql as ''''', v_schema);
    execute format('create procedure %I.made_procedure() language sql as ''''', v_schema);
  end loop;
end
$$;
create temporary view new_objects as
select
  c.oid::regclass::text as object,
  coalesce(
    c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)
  ) as acl
from pg_class as c
where c.relname in ('made', 'made_view', 'made_sequence', 'made_id_seq')
union all
select p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner))
from pg_proc as p
where p.proname in ('made', 'made_procedure');
select is(
  (select count(*) from new_objects), 30::bigint, 'six objects are examined in each of five schemas'
);
select is_empty(
  $$
    select m.object, a.grantee::regrole, a.privilege_type
    from new_objects as m cross join aclexplode(m.acl) as a
    where a.grantee <> 'postgres'::regrole
  $$,
  'a new table, view, sequence, function or procedure is open to nobody but postgres'
);
rollback to savepoint made;
select is_empty(
  $$ select signature from our_functions where prosecdef and schema in ('public', 'gate') $$,
  'no security definer function stands in an exposed schema'
);
select is_empty(
  $$
    select signature from our_functions
    where (schema = 'public' or schema = 'gate' and proname <> 'become_key_owner')
      and (
        has_function_privilege('anon', oid, 'execute')
        or has_function_privilege('authenticated', oid, 'execute')
      )
      and (prolang <> 14 or prosqlbody is null)
  $$,
  'a function for clients is one parsed line of SQL'
);
select is_empty(
  $$
    select f.signature from our_functions as f
    where f.schema = 'app' and f.prosecdef and f.prorettype <> 'trigger'::regtype
      -- A policy calls this one.
      and f.proname <> 'is_result_file'
      and not exists (
        select from our_functions as w
        where w.schema in ('public', 'gate') and w.proname = f.proname
      )
  $$,
  'a security definer function in app has its wrapper in public or in the gate'
);
-- Such a function first asks who calls, because anonymous callers may execute it (ADR 25).
create temporary view client_functions as
select
  f.oid,
  f.signature,
  f.proname,
  exists (
    select from our_functions as w
    where w.schema = 'public' and w.proname = f.proname and w.provolatile = 'v'
  ) as is_volatile,
  regexp_replace(f.prosrc, '--[^\n]*', '', 'g') as body
from our_functions as f
where f.schema = 'app'
  and f.prosecdef
  and has_function_privilege('authenticated', f.oid, 'execute')
  and exists (
    select from our_functions as w where w.schema = 'public' and w.proname = f.proname
  );
select is_empty(
  $$
    select signature from client_functions
    where body !~ (
        '^\s*declare\s+\w+ uuid := app\.require_(user|session|drama_owner)\('
        '|^\s*(declare([^:]|:= ''{}''::)*)?begin\s+perform app\.require_caller\(\);'
      )
      -- Sharing needs no account.
      and proname not in (
        'share_flow', 'share_card', 'share_session', 'revoke_share', 'get_shared_resource',
        'describe_share', 'list_public_shares'
      )
  $$,
  'a function for signed-in users first calls app.require_user, or another require_ that calls it'
);
select is_empty(
  $$
    select signature from client_functions
    where is_volatile
      and body !~ 'begin\s+(perform app\.require_caller\(\);\s+)?perform app\.require_writing\(\);'
      -- They only read: they are volatile because they set headers.
      and proname not in ('get_drama_complete', 'get_shared_resource')
  $$,
  'a function for clients that writes refuses GET with 405 post_required before it works'
);
select is_empty(
  $$
    select format('%s (%s)', k.conname, t.relation)
    from pg_constraint as k
    join our_tables as t on t.oid = k.conrelid
    where k.contype = 'f' and not exists (
      select from pg_index as i
      where i.indrelid = k.conrelid
        and (i.indkey::smallint[])[0:array_length(k.conkey, 1) - 1] @> k.conkey
    )
  $$,
  'every foreign key is indexed'
);
select is_empty(
  $$
    select format('%s on %s', p.policyname, p.tablename) from pg_policies as p
    where p.schemaname in ('public', 'app') and (p.roles = '{public}' or p.cmd = 'ALL'
      or (p.cmd <> 'SELECT' and coalesce(p.with_check, p.qual) = 'true'))
  $$,
  'a policy is for one command, for named roles, and no writing policy is always true'
);
select is_empty(
  $$
    select format('%s on %s', p.policyname, p.tablename) from pg_policies as p
    where p.schemaname in ('public', 'app')
      and replace(concat(p.qual, p.with_check), '( SELECT auth.uid() AS uid)', '')
        like '%auth.uid()%'
  $$,
  'auth.uid() in a policy is called once, not for each row'
);
select is_empty(
  $$
    select t.tgname || ' on ' || r.relation
    from pg_trigger as t
    join our_tables as r on r.oid = t.tgrelid
    where not t.tgisinternal and t.tgname !~ '^_[0-9]{3}_[a-z_]+$'
  $$,
  'a trigger''s name says when it fires'
);
select is_empty(
  $$
    select format('%s %s %s', d.defaclrole::regrole, d.defaclobjtype, a.grantee::regrole)
    from pg_default_acl as d cross join aclexplode(d.defaclacl) as a
    where d.defaclrole = 'postgres'::regrole and a.grantee in (
      select oid from pg_roles where rolname in ('anon', 'authenticated', 'service_role')
      union all select 0
    )
  $$,
  'default privileges expose nothing'
);

-- One clock for all rules: a test cannot move another one.
create function pg_temp.reads_a_clock(code text) returns boolean language sql as $$
  select regexp_replace(code, '--[^\n]*', '', 'g') ~* (
    '(?<!app\.)\m(now|timeofday|(clock|statement|transaction)_timestamp)\s*\('
    '|\mcurrent_(timestamp|date|time)\M|\mlocaltime(stamp)?\M|''(now|today|tomorrow|yesterday)'''
  )
$$;
select set_eq(
  $$
    select format('%s.%s', schema, proname) from our_functions
    where prokind in ('f', 'p')
      and pg_temp.reads_a_clock(coalesce(pg_get_function_sqlbody(oid), prosrc))
  $$,
  array[
    -- The clock itself.
    'app.now', 'app.clock',
    -- The order and the time of what happens at this moment; no rule depends on it.
    'app.claim_steps', 'app.record_events'
  ],
  'only these functions read another clock than app.now'
);
select is_empty(
  $$
    select format('%s on %s', p.policyname, p.tablename) from pg_policies as p
    where p.schemaname in ('public', 'app', 'storage')
      and pg_temp.reads_a_clock(concat_ws(' ', p.qual, p.with_check))
  $$,
  'no policy reads another clock than app.now'
);

-- A function that passed text to set_config('role', …) would give away service_role. Comments count
-- as code here, so that a comment cannot hide anything.
create temporary table definitions as
select signature collate "default" as signature, pg_get_functiondef(oid) as definition
from our_functions
where prokind in ('f', 'p');
select results_eq(
  $$
    select d.signature, m.found[1]
    from definitions as d
    cross join regexp_matches(
      d.definition, 'set_config\s*\(\s*(''role''[^)]*)\)', 'gi'
    ) as m (found)
  $$,
  $$ values ('gate.become_key_owner()', '''role'', ''authenticated'', true') $$,
  'the role is set in one place, from anon''s to authenticated and to no other'
);
select is_empty(
  $$
    select signature from definitions
    where definition ~* 'set_config(?!\s*\(\s*''[a-z_.]+''(::text)?\s*,)'
      or definition ~* 'session_authorization|pg_settings'
  $$,
  'every other set_config says in a literal what it sets'
);
select is_empty(
  $$
    select signature from definitions
    where definition ~* '\m(re)?set\s+((local|session)\s+)?(role|session\s+authorization|all)\M'
      or definition ~* '\mdiscard\s+all\M'
  $$,
  'no function sets or resets the role as a statement, or as its own setting'
);
select set_eq(
  $$ select signature from our_functions where prolang <> 14 and prosrc ~* '\mexecute\M' $$,
  array[
    'app.run_schedule(name text)', 'app.call_callback(callback text, job_ids bigint[])',
    'app.call_run_reopened(run_id bigint)', 'app.find_shown_assets(asset_ids uuid[])',
    'app.export_part(function text, user_id uuid, max_bytes bigint, until timestamp with time zone)'
  ],
  'only these functions build SQL from text, each from names that postgres alone can write'
);
select is_empty(
  $$
    select f.signature from our_functions as f
    join pg_language as l on l.oid = f.prolang
    where l.lanname not in ('sql', 'plpgsql')
  $$,
  'every function is in SQL or PL/pgSQL, which the rules above can read'
);

select set_eq(
  $$ select signature from our_functions where prosrc ~* '\mwhen\s[^;]*\mothers\M' $$,
  array[
    'app.call_callback(callback text, job_ids bigint[])', 'app.create_missing_profiles()',
    'app.tg_users__create_profile()'
  ],
  'only the call of a product''s callback and the creation of a profile catch every error'
);

-- Settings of the planner (ADR 16): without them, a plan that was made on an empty
-- table reads whole indexes, which a test on a small database does not show.
select set_eq(
  $$
    select format('%s.%s', schema, proname) from our_functions
    where proconfig @> array[
      'plan_cache_mode=force_generic_plan', 'jit=off', 'enable_seqscan=off', 'enable_hashjoin=off',
      'enable_mergejoin=off'
    ]
  $$,
  array[
    'app.submit_keyed_run', 'app.cancel_job', 'app.publish_runs', 'worker.exchange_work',
    'worker.heartbeat', 'worker.send_heartbeat', 'worker.requeue_lost_steps',
    'worker.read_outputs', 'worker.leave', 'worker.start_task', 'worker.read_task',
    -- They cancel, delete or submit runs.
    'app.cancel_task', 'app.retry_task', 'app.answer_task', 'app.tg_tasks__delete_runs',
    'app.cancel_overdue_holds', 'app.cancel_generation'
  ],
  'the ways into the job engine plan index lookups only'
);
select set_eq(
  $$
    select format('%s.%s', schema, proname) from our_functions
    where proconfig @> array['enable_seqscan=off']
      and not proconfig @> array['enable_hashjoin=off']
  $$,
  array[
    -- A whole run at once: hash joins stay on.
    'app.retry_job', 'app.job_tree', 'app.job_graph',
    -- Rows of deleted users and runs.
    'app.tg_users__delete_runs', 'app.tg_runs__delete_steps', 'app.tg_users__delete_dramas',
    'app.tg_users__delete_media_days', 'app.delete_finished_runs',
    -- A batch of media: its plan is made once, maybe on empty tables.
    'app.apply_drama_media', 'app.apply_drawings', 'app.record_drama_media',
    -- A drama with its parts among all dramas.
    'app.build_drama', 'app.estimate_drama', 'app.build_media_input', 'app.save_drama_episodes',
    'app.save_drama_scenes',
    -- Tasks of one user among all tasks, and batches of tasks.
    'app.require_task_quotas', 'app.has_task_slot', 'app.admit_tasks', 'app.admit_pending_tasks',
    'app.record_ticks', 'app.end_tasks', 'app.tg_tasks__lock_tasks', 'app.tg_users__delete_tasks',
    'app.delete_finished_tasks',
    -- Credits of one user among all users.
    'app.apply_credits', 'app.place_hold', 'app.lock_holds', 'app.capture_holds',
    'app.try_lock_credits', 'app.release_holds', 'app.insert_grants', 'app.grant_credits',
    'app.take_back_credits',
    'app.adjust_credits', 'app.subtract_adjustment', 'app.grant_periods', 'app.grant_due_periods',
    'app.expire_credits', 'app.delete_ended_holds', 'app.tg_users__lock_runs',
    'app.tg_users__delete_credits', 'app.tg_users__renew_period',
    -- One order among all orders, and its reports among all reports.
    'app.record_payment', 'app.judge_payment', 'app.judge_payments_of', 'app.find_paymob_order',
    'app.fulfil_order', 'app.refund_order', 'app.take_back_order', 'app.lock_orders',
    'app.record_opened_orders', 'app.end_openings', 'app.inquire_orders', 'app.record_inquiries',
    'app.settle_orders', 'app.return_lapsed_plans', 'app.announce_plan_ends',
    'app.tg_users__forget_payer', 'worker.read_order', 'app.fulfil_orders', 'app.try_lock_orders',
    'app.find_first_payments', 'app.record_first_payments', 'sidecar.record_paymob_callbacks',
    'app.require_order_room', 'app.refuse_opening',
    -- One generation among all generations, and batches of generations.
    'app.request_generation', 'worker.read_generation', 'app.record_generations',
    'app.end_generations', 'app.tg_generations__delete_traces',
    'app.tg_users__record_deleted_folders', 'app.delete_expired_entries',
    'app.delete_generation_keys', 'app.delete_old_notifications', 'app.send_notifications',
    'app.mark_notifications_read',
    'worker.claim_deleted_files', 'worker.confirm_deleted_files', 'worker.list_old_uploads',
    'app.is_result_file',
    -- The jobs of one user, in the order of an index.
    'app.export_jobs'
  ],
  'functions whose plan may be made on empty tables read them by their indexes'
);
select is_empty(
  $$
    select signature from our_functions
    where proconfig @> array['enable_seqscan=off'] and not proconfig @> array['jit=off']
  $$,
  'no function compiles its statements because a refused sequential scan counts as expensive'
);
select set_eq(
  $$
    select format('%s.%s', schema, proname) from our_functions
    where proconfig @> array['enable_nestloop=off', 'enable_hashjoin=on']
  $$,
  array['app.parse_steps', 'app.parse_edges', 'app.insert_steps', 'app.rebuild_queue'],
  'functions that join the steps of a run with each other use hash joins'
);
select is_empty(
  $$ select signature from our_functions where strpos(prosrc, '\d') > 0 $$,
  'patterns have [0-9]: with a collation of ICU, \d matches the digits of all scripts, which no '
  'cast reads'
);
select is_empty(
  $$
    select signature from our_functions
    where prosrc ~ '(\mfrom|~\*?)\s+''[^'']*''\s*\|\|'
      or prosrc ~ '\mregexp_[a-z]+\([^,]+,\s*''[^'']*''\s*\|\|'
  $$,
  'no pattern is made of the values of a row: Postgres would compile it for each row, which takes '
  'milliseconds'
);

select * from finish();
rollback;
