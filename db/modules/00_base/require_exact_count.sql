-- app.require_exact_count, gate.require_exact_count
--
-- Called by   app.admit_caller, gate.become_key_owner
-- Errors      PT400 count_not_exact
-- Why         The planner estimates from all rows, also from those that policies hide. PostgREST
--             shows SQL only the last one of several Prefer headers: app.is_executed refuses what
--             an earlier one asks.
create or replace function app.require_exact_count(prefer text, role text)
  returns void
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  if require_exact_count.prefer ~* 'planned|estimated'
    and require_exact_count.role <> 'service_role'
  then
    perform app.fail(
      400,
      'count_not_exact',
      'Estimated counts are refused, because they would count hidden rows.',
      'Send Prefer: count=exact.'
    );
  end if;
end
$$;

comment on function app.require_exact_count(text, text) is
  'Refuses a header Prefer that asks for an estimated count, unless service_role sends it.';

create or replace function gate.require_exact_count(prefer text, role text)
  returns void
  language sql
  stable
return app.require_exact_count(prefer, role);

comment on function gate.require_exact_count(text, text) is
  'Refuses a header Prefer that asks for an estimated count, unless service_role sends it.';

grant execute on function app.require_exact_count(text, text) to anon, authenticated, service_role;
grant execute on function gate.require_exact_count(text, text) to anon, authenticated, service_role;
