-- app.require_drama
--
-- Errors      PT404 drama_not_found
-- Locks       the drama, so that no other change of it is under way
create or replace function app.require_drama(drama_id uuid)
  returns public.dramas
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_drama public.dramas;
begin
  select d.* into v_drama
  from public.dramas as d
  where d.id = require_drama.drama_id and (d.owner_id = auth.uid() or auth.role() = 'service_role')
  for no key update;
  if not found then
    perform app.fail(404, 'drama_not_found', 'There is no such drama.');
  end if;

  return v_drama;
end
$$;

comment on function app.require_drama(uuid) is
  'Locks a drama of the caller''s (service_role: anybody''s) and returns it; 404 drama_not_found for anyone else.';
