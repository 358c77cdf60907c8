-- app.require_caller
--
-- Errors      PT401 not_signed_in
-- Why         gate.pre_request has checked that the account of a signed-in user exists, so this
--             function does not check again. A function for the owner of a row and for service_role
--             calls this function first.
create or replace function app.require_caller()
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if auth.uid() is null and auth.role() is distinct from 'service_role' then
    perform app.require_user();
  end if;
end
$$;

comment on function app.require_caller() is
  'Refuses a caller who is neither a signed-in user nor service_role: 401 not_signed_in.';
