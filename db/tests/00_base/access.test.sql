-- Every table of ours × every role that can log in or be assumed × every command. A table that is
-- missing here fails.
begin;
select plan(5);

create temporary table expected (
  relation text, anon text, authenticated text, service_role text, worker text, sidecar text
);
insert into expected
values
  ('app.anonymous_bytes', '', '', '', '', ''),
  ('app.api_key_secrets', '', '', '', '', ''),
  ('app.applied_files', '', '', '', '', ''),
  ('app.asset_bytes', '', '', '', '', ''),
  ('app.asset_times', '', '', '', '', ''),
  ('app.asset_types', '', '', '', '', ''),
  ('app.asset_uploads', '', '', '', '', ''),
  ('app.callback_faults', '', '', '', '', ''),
  ('app.credit_hold_grants', '', '', '', '', ''),
  ('app.credit_periods', '', '', '', '', ''),
  ('app.deleted_media', '', '', '', '', ''),
  ('app.deleted_folders', '', '', '', '', ''),
  ('app.drama_extras', '', '', '', '', ''),
  ('app.drama_media', '', '', '', '', ''),
  ('app.drama_packages', '', '', '', '', ''),
  ('app.drama_requests', '', '', '', '', ''),
  ('app.drama_runs', '', '', '', '', ''),
  ('app.drama_sizes', '', '', '', '', ''),
  ('app.episode_details', '', '', '', '', ''),
  ('app.exports', '', '', '', '', ''),
  ('app.generation_details', '', '', '', '', ''),
  ('app.generation_files', '', '', '', '', ''),
  ('app.generation_requests', '', '', '', '', ''),
  ('app.job_callbacks', '', '', '', '', ''),
  ('app.job_events', '', '', '', '', ''),
  ('app.job_queue', '', '', '', '', ''),
  ('app.lanes', '', '', '', '', ''),
  ('app.media_days', '', '', '', '', ''),
  ('app.media_reservations', '', '', '', '', ''),
  ('app.media_returns', '', '', '', '', ''),
  ('app.migrations', '', '', '', '', ''),
  ('app.missing_profiles', '', '', '', '', ''),
  ('app.order_details', '', '', '', '', ''),
  ('app.order_fulfilments', '', '', '', '', ''),
  ('app.order_refunds', '', '', '', '', ''),
  ('app.payment_callbacks', '', '', '', '', ''),
  ('app.paymob_orders', '', '', '', '', ''),
  ('app.plan_notices', '', '', '', '', ''),
  ('app.rate_limits', '', '', '', '', ''),
  ('app.run_changes', '', '', '', '', ''),
  ('app.runs', '', '', '', '', ''),
  ('app.scene_details', '', '', '', '', ''),
  ('app.schedules', '', '', '', '', ''),
  ('app.seeds', '', '', '', '', ''),
  ('app.session_icons', '', '', '', '', ''),
  ('app.settings', '', '', '', '', ''),
  ('app.share_packages', '', '', '', '', ''),
  ('app.step_states', '', '', '', '', ''),
  ('app.table_hints', '', '', '', '', ''),
  ('app.task_answers', '', '', '', '', ''),
  ('app.task_owners', '', '', '', '', ''),
  ('app.task_states', '', '', '', '', ''),
  ('app.template_channels', '', '', '', '', ''),
  ('app.template_uploads', '', '', '', '', ''),
  ('app.template_uses', '', '', '', '', ''),
  ('app.workers', '', '', '', '', ''),
  ('cache.kv_store', '', '', '', '', ''),
  ('ops.credit_faults', '', '', '', '', ''),
  ('ops.suspicious_payments', '', '', '', '', ''),
  ('ops.template_versions_compared', '', '', '', '', ''),
  ('ops.warnings', '', '', '', '', ''),
  ('public.agents', 'insert select', 'insert select', 'select', '', ''),
  ('public.ai_models', 'select', 'select', 'select', '', ''),
  ('public.artifacts', '', 'select', 'select', '', ''),
  ('public.assets', 'select', 'select', 'select', '', ''),
  ('public.characters', 'insert select', 'insert select', 'select', '', ''),
  ('public.api_keys', '', 'select', 'select', '', ''),
  ('public.colors', 'select', 'select', 'delete insert select update', '', ''),
  ('public.credit_entries', '', 'select', 'select', '', ''),
  ('public.credit_grants', '', 'select', 'select', '', ''),
  ('public.credit_holds', '', 'select', 'select', '', ''),
  ('public.credit_packs', 'select', 'select', 'delete insert select update', '', ''),
  ('public.credit_usage', '', 'select', 'select', '', ''),
  ('public.data_store_nodes', 'insert select', 'insert select', 'select', '', ''),
  ('public.drama_characters', '', 'select', 'select', '', ''),
  ('public.dramas', '', 'insert select', 'insert select', '', ''),
  ('public.episodes', '', 'select update', 'select', '', ''),
  ('public.flows', 'insert select', 'insert select', 'select', '', ''),
  ('public.generations', '', 'delete select update', 'select', '', ''),
  ('public.hairstyles', 'select', 'select', 'delete insert select update', '', ''),
  ('public.if_nodes', 'insert select', 'insert select', 'select', '', ''),
  ('public.job_types', 'select', 'select', 'select', '', ''),
  ('public.jobs', '', 'select', 'select', '', ''),
  ('public.notifications', '', 'select', 'select', '', ''),
  ('public.orders', '', 'select', 'select', '', ''),
  ('public.payments', '', 'select', 'select', '', ''),
  ('public.plans', 'select', 'select', 'delete insert select update', '', ''),
  ('public.prompts', '', 'select', 'select', '', ''),
  ('public.runs', '', 'select', 'select', '', ''),
  ('public.scenarios', 'insert select', 'insert select', 'select', '', ''),
  ('public.scenes', '', 'select update', 'select', '', ''),
  ('public.sessions', 'insert select', 'insert select', 'select', '', ''),
  ('public.shared_resources', 'insert select', 'insert select', 'delete select', '', ''),
  ('public.tasks', '', 'delete insert select update', 'insert select', '', ''),
  ('public.template_versions', '', 'select', 'select', '', ''),
  ('public.templates', '', 'select', 'select update', '', ''),
  ('public.tools', 'select', 'select', 'delete insert select update', '', ''),
  ('public.users', '', 'select', 'select', '', '');

create temporary view actual as
select
  format('%s.%s', n.nspname, c.relname) as relation,
  r.role,
  coalesce((
    select string_agg(p.privilege, ' ' order by p.privilege)
    from unnest(
      array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']
    ) as p (privilege)
    where has_table_privilege(r.role, c.oid, p.privilege)
      or (p.privilege in ('select', 'insert', 'update', 'references')
        and has_any_column_privilege(r.role, c.oid, p.privilege))
  ), '') as commands
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
cross join unnest(array['anon', 'authenticated', 'service_role', 'worker', 'sidecar']) as r (role)
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname in ('public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops');

select set_eq(
  'select relation, role, commands from actual',
  $$
    select relation, 'anon', anon from expected
    union all select relation, 'authenticated', authenticated from expected
    union all select relation, 'service_role', service_role from expected
    union all select relation, 'worker', worker from expected
    union all select relation, 'sidecar', sidecar from expected
  $$,
  'each role may do exactly what the matrix says, on every table'
);

-- Columns that clients may not write although the table is open to them, and internal columns of
-- jobs, which users may not read.
select set_eq(
  $$
    select distinct format('%s.%s %s', c.relname, a.attname, p.privilege)
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    cross join unnest(array['select', 'insert']) as p (privilege)
    cross join unnest(array['anon', 'authenticated', 'service_role']) as r (role)
    where c.relnamespace = 'public'::regnamespace
      and has_any_column_privilege(r.role, c.oid, p.privilege)
      and not has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
  $$,
  array[
    'shared_resources.created_at insert',
    'flows.sealed_at insert', 'flows.created_at insert', 'flows.size_bytes insert',
    'characters.sealed_at insert', 'characters.created_at insert', 'characters.updated_at insert',
    'characters.size_bytes insert',
    'scenarios.sealed_at insert', 'scenarios.created_at insert', 'scenarios.updated_at insert',
    'scenarios.size_bytes insert',
    'sessions.sealed_at insert', 'sessions.created_at insert', 'sessions.updated_at insert',
    'sessions.size_bytes insert',
    'agents.size_bytes insert', 'data_store_nodes.size_bytes insert', 'if_nodes.size_bytes insert',
    'dramas.id insert', 'dramas.owner_id insert', 'dramas.external_id insert',
    'dramas.title insert', 'dramas.logline insert', 'dramas.genre insert',
    'dramas.language insert', 'dramas.style insert', 'dramas.cover_url insert',
    'dramas.run_id insert', 'dramas.created_at insert',
    'dramas.updated_at insert',
    'jobs.version select',
    'jobs.input select', 'jobs.output select', 'jobs.output_bytes select', 'jobs.priority select',
    'jobs.worked_at select',
    'jobs.collects select', 'jobs.depends_on select', 'jobs.on_failure select',
    'tasks.status insert', 'tasks.tick insert', 'tasks.result insert', 'tasks.error insert',
    'tasks.created_at insert', 'tasks.updated_at insert', 'tasks.usage insert',
    'tasks.run_id insert',
    'plans.created_at insert', 'plans.updated_at insert',
    'credit_packs.created_at insert', 'credit_packs.updated_at insert',
    'tools.version insert', 'tools.created_at insert', 'tools.updated_at insert',
    'hairstyles.created_at insert', 'hairstyles.updated_at insert',
    'colors.created_at insert', 'colors.updated_at insert'
  ],
  'the columns that are ours alone are granted to no client'
);

-- Inputs and outputs of jobs may contain prompts and are large, and the engine writes them with
-- each step, so they stay in the table and are not granted.
select set_eq(
  $$
    select c.relname::text, r.role
    from pg_class as c
    cross join unnest(array['anon', 'authenticated', 'service_role']) as r (role)
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and c.relnamespace = 'public'::regnamespace
      and has_any_column_privilege(r.role, c.oid, 'select')
      and not (
        select bool_and(has_column_privilege(r.role, c.oid, a.attnum, 'select'))
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      )
  $$,
  $$ values ('jobs', 'authenticated') $$,
  'select * works for every role on every table that it may read, except for users on jobs'
);

-- Functions for signed-in users. An anonymous caller may execute them, because only the function
-- can answer with a hint (ADR 25). Nothing else may happen before that answer.
create temporary view functions_for_users as
select
  p.oid,
  format('%s.%s', n.nspname, p.proname) as name,
  format(
    'select %s.%s(%s)',
    n.nspname,
    p.proname,
    (
      select string_agg(format('null::%s', format_type(t.type, null)), ', ' order by t.n)
      from unnest(p.proargtypes::oid[]) with ordinality as t (type, n)
    )
  ) as call
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = 'public'
  and has_function_privilege('authenticated', p.oid, 'execute')
  -- Sharing needs no account.
  and p.proname not in (
    'share_flow', 'share_card', 'share_session', 'revoke_share', 'get_shared_resource',
    'describe_share', 'list_public_shares'
  );

select is_empty(
  $$
    select name from functions_for_users
    where not has_function_privilege('anon', oid, 'execute')
  $$,
  'an anonymous caller may call every function for signed-in users, to be told to sign in'
);

create function pg_temp.answer(call text) returns text language plpgsql as $$
declare
  v_code text;
  v_slug text;
  v_hint text;
begin
  execute answer.call;
  return 'no error';
exception
  when others then
    get stacked diagnostics
      v_code = returned_sqlstate, v_slug = pg_exception_detail, v_hint = pg_exception_hint;
    return concat_ws(' ', v_code, v_slug, case when v_hint <> '' then 'with a hint' end);
end
$$;
grant execute on function pg_temp.answer(text) to anon;
create temporary table calls as
select f.name, f.call from functions_for_users as f;
grant select on calls to anon;
select tests.become('anon');
select is_empty(
  $$
    select c.name, pg_temp.answer(c.call)
    from calls as c
    where pg_temp.answer(c.call) <> 'PT401 not_signed_in with a hint'
  $$,
  'every function for signed-in users answers an anonymous caller with 401 not_signed_in and a hint'
);
reset role;

select * from finish();
rollback;
