-- app.find_sharer
--
-- Why         a JWT outlives its user, and the foreign key would refuse the share of such a caller
create or replace function app.find_sharer()
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if auth.uid() is null then
    return null;
  end if;

  return (select u.id from public.users as u where u.id = auth.uid());
end
$$;

comment on function app.find_sharer() is
  'Returns the signed-in user who shares, or null for an anonymous caller or service_role.';
