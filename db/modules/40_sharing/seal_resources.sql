-- app.seal_resources
--
-- Called by   app.tg_shared_resources__seal
-- Writes      sealed_at of flows, characters, scenarios or sessions
-- Errors      PT422 resource_not_found
-- Locks       the resources, lowest id first; whoever adds nodes to a flow holds it for share
-- Why         none of them is sealed: shared_resources_resource_is_shared_once comes first
create or replace function app.seal_resources(resource_type text, ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_table regclass := case seal_resources.resource_type
    when 'flow' then 'public.flows'::regclass
    when 'card_character' then 'public.characters'::regclass
    when 'card_scenario' then 'public.scenarios'::regclass
    when 'session' then 'public.sessions'::regclass
  end;
  v_locked integer;
begin
  execute format('select from %s where id = any ($1) order by id for no key update', v_table)
  using seal_resources.ids;
  get diagnostics v_locked = row_count;

  if v_locked < cardinality(seal_resources.ids) then
    perform app.fail(422, 'resource_not_found', 'There is no such resource to share.', 'Insert the resource first.');
  end if;

  execute format('update %s set sealed_at = app.now() where id = any ($1)', v_table)
  using seal_resources.ids;
end
$$;

comment on function app.seal_resources(text, uuid[]) is 'Closes resources of one type for changes, once.';

revoke execute on function app.seal_resources(text, uuid[]) from public;
