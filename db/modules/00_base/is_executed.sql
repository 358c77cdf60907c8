-- app.is_executed
--
-- Called by   the restrictive policy select_executed of every table that clients read
--             (db/modules/database.sql)
-- Errors      PT400 count_not_exact
-- Why         PostgREST answers Prefer: count=planned with the estimate of an EXPLAIN, and the
--             planner estimates from the values of all rows. gate.pre_request cannot refuse this
--             alone, because PostgREST obeys the first of several Prefer headers and shows SQL the
--             last one. Declared immutable, so that the planner calls this function itself, once
--             for each plan, and an executed statement has no further cost.
create or replace function app.is_executed()
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if current_query() ~* '^\s*explain\M' then
    raise exception using
      errcode = 'PT400',
      message = 'Estimated counts are refused, because they would count hidden rows.',
      detail = 'count_not_exact',
      hint = 'Send Prefer: count=exact.';
  end if;

  return true;
end
$$;

comment on function app.is_executed() is
  'Returns true; refuses a statement that only explains a query, and so would show estimates.';

grant execute on function app.is_executed() to anon, authenticated;
