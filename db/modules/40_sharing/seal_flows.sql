-- app.seal_flows
--
-- Called by   app.tg_shared_resources__seal
-- Writes      flows.sealed_at
-- Errors      PT413 package_too_large, PT422 resource_not_found, too_many_nodes
-- Locks       the flows, lowest id first; whoever adds nodes holds them for share
-- Why         none of them is sealed: shared_resources_resource_is_shared_once comes first
create or replace function app.seal_flows(flow_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform
  from public.flows as f
  where f.id = any (seal_flows.flow_ids)
  order by f.id
  for no key update;

  if exists (
    select
    from unnest(seal_flows.flow_ids) as wanted (id)
    where not exists (select from public.flows as f where f.id = wanted.id)
  ) then
    perform app.fail(422, 'resource_not_found', 'There is no such flow to share.', 'Insert the flow first.');
  end if;

  update public.flows as f
  set sealed_at = app.now()
  where f.id = any (seal_flows.flow_ids);

  perform app.require_flow_fits(wanted.id)
  from unnest(seal_flows.flow_ids) as wanted (id);
end
$$;

comment on function app.seal_flows(uuid[]) is 'Closes flows for changes, once.';

revoke execute on function app.seal_flows(uuid[]) from public;
