-- app.seal_resources
--
-- Writes      sealed_at of flows, characters, scenarios or sessions
-- Errors      PT422 resource_not_found
-- Locks       the resources, lowest id first; a client that adds nodes to a flow holds it for share
-- Why         no resource is sealed yet: shared_resources_resource_is_shared_once is checked before
create or replace function app.seal_resources(resource_type text, ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_sealed integer;
begin
  case seal_resources.resource_type
    when 'flow' then
      perform from public.flows as f
      where f.id = any (seal_resources.ids) order by f.id for no key update;
      update public.flows as f set sealed_at = v_now where f.id = any (seal_resources.ids);
    when 'card_character' then
      perform from public.characters as c
      where c.id = any (seal_resources.ids) order by c.id for no key update;
      update public.characters as c set sealed_at = v_now where c.id = any (seal_resources.ids);
    when 'card_scenario' then
      perform from public.scenarios as s
      where s.id = any (seal_resources.ids) order by s.id for no key update;
      update public.scenarios as s set sealed_at = v_now where s.id = any (seal_resources.ids);
    when 'session' then
      perform from public.sessions as s
      where s.id = any (seal_resources.ids) order by s.id for no key update;
      update public.sessions as s set sealed_at = v_now where s.id = any (seal_resources.ids);
  end case;
  get diagnostics v_sealed = row_count;

  if v_sealed < cardinality(seal_resources.ids) then
    perform app.fail(
      422,
      'resource_not_found',
      'The resource to share was not found.',
      'Insert the resource first, and name its table by resource_type.'
    );
  end if;
end
$$;

comment on function app.seal_resources(text, uuid[]) is
$$Seals resources of one type, so that they cannot change any more.

422 resource_not_found: an id is not in the table of resource_type.$$;
