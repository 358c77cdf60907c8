-- app.delete_unshared_resources
--
-- Called by   schedule delete-unshared-resources
-- Writes      deletes from flows, characters, scenarios and sessions
-- Locks       the rows that it deletes, skipping those that another transaction has locked
-- Why         a client that inserts and never shares would otherwise fill the tables
create or replace function app.delete_unshared_resources()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_before timestamptz := app.now() - interval '1 hour';
  v_deleted integer;
  v_total integer := 0;
begin
  -- any (array(…)): the subquery, which locks rows, runs once, whatever plan is chosen.
  delete from public.flows as f
  where f.id = any (array(
    select u.id
    from public.flows as u
    where u.sealed_at is null and u.created_at <= v_before
    order by u.created_at
    limit 1000
    for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  v_total := v_total + v_deleted;

  delete from public.characters as c
  where c.id = any (array(
    select u.id
    from public.characters as u
    where u.sealed_at is null and u.created_at <= v_before
    order by u.created_at
    limit 1000
    for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  v_total := v_total + v_deleted;

  delete from public.scenarios as s
  where s.id = any (array(
    select u.id
    from public.scenarios as u
    where u.sealed_at is null and u.created_at <= v_before
    order by u.created_at
    limit 1000
    for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  v_total := v_total + v_deleted;

  delete from public.sessions as s
  where s.id = any (array(
    select u.id
    from public.sessions as u
    where u.sealed_at is null and u.created_at <= v_before
    order by u.created_at
    limit 1000
    for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  v_total := v_total + v_deleted;

  return v_total;
end
$$;

comment on function app.delete_unshared_resources() is
$$Deletes resources that were inserted an hour ago and never shared.

Deletes at most 1,000 rows of each table per call. Returns their number; 0 means that none are
left.$$;
