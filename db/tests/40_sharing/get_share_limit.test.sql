-- The limits of sharing are numbers of one function; constraints and descriptions agree with it.
begin;
select plan(7);

create temporary view checks as
select k.conname, pg_get_constraintdef(k.oid) as definition
from pg_constraint as k
where k.contype = 'c'
  and k.conrelid = any (array[
    'app.share_packages', 'public.flows', 'public.agents', 'public.data_store_nodes',
    'public.if_nodes', 'public.characters', 'public.scenarios', 'public.sessions'
  ]::regclass[]);
create function pg_temp.limits_in_constraints(suffix text) returns setof integer language sql as $$
  select distinct substring(c.definition from '([0-9]+)\)+$')::integer
  from checks as c
  where c.conname like '%' || limits_in_constraints.suffix
$$;
select is(
  (select count(*) from checks where conname like '%\_fits'), 8::bigint,
  'every table of sharing limits the size of its rows'
);
select results_eq(
  $$ select pg_temp.limits_in_constraints('_fits') $$,
  $$ select app.get_share_limit('package_bytes') $$,
  'the tables allow rows of package_bytes'
);
select results_eq(
  $$ select pg_temp.limits_in_constraints('_name_is_short') $$,
  $$ select app.get_share_limit('flow_name_bytes') $$,
  'table flows allows names of flow_name_bytes'
);
select results_eq(
  $$ select pg_temp.limits_in_constraints('_id_is_short') $$,
  $$ select app.get_share_limit('node_id_bytes') $$,
  'the tables of nodes allow ids of node_id_bytes'
);
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace
      and p.proname in ('share_card', 'share_flow', 'share_session')
      and obj_description(p.oid, 'pg_proc') not like
        '%' || app.get_share_limit('package_bytes') / 1048576 || ' MiB%'
  $$,
  'the descriptions of the RPCs name package_bytes'
);
select throws_ok(
  $$ select app.get_share_limit('bytes') $$, '20000', null, 'refuses an unknown name'
);
select tests.become('anon');
select throws_ok(
  $$ select app.get_share_limit('package_bytes') $$,
  '42501', null, 'anon cannot call app.get_share_limit'
);

select * from finish();
rollback;
