-- app.seal_flow
--
-- Called by   app.seal_resource
-- Writes      flows.sealed_at
-- Errors      PT409 resource_sealed, PT413 package_too_large, PT422 resource_not_found, too_many_nodes
-- Locks       the flow; whoever adds nodes holds it for share
create or replace function app.seal_flow(flow_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update public.flows as f
  set sealed_at = app.now()
  where f.id = seal_flow.flow_id and f.sealed_at is null;

  if not found then
    if exists (select from public.flows as f where f.id = seal_flow.flow_id) then
      perform app.fail(409, 'resource_sealed', 'This flow has been shared already.', 'Share a new flow.');
    end if;
    perform app.fail(422, 'resource_not_found', 'There is no such flow to share.', 'Insert the flow first.');
  end if;

  perform app.require_flow_fits(seal_flow.flow_id);
end
$$;

comment on function app.seal_flow(uuid) is 'Closes a flow for changes, once.';

revoke execute on function app.seal_flow(uuid) from public;
