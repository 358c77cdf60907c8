-- app.lock_drama
--
-- Errors      PT404 drama_not_found
-- Locks       the drama, against all other changes
create or replace function app.lock_drama(drama_id uuid)
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
  where d.id = lock_drama.drama_id
    and (d.owner_id = auth.uid() or auth.role() = 'service_role')
  for no key update;
  if not found then
    perform app.fail(
      404, 'drama_not_found', 'Drama not found.', 'Use an id that list_dramas returns.'
    );
  end if;

  return v_drama;
end
$$;

comment on function app.lock_drama(uuid) is
  'Locks a drama of the caller (service_role: of anybody) and returns it; 404 drama_not_found.';
