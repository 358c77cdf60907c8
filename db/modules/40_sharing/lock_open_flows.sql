-- app.tg__lock_open_flows
--
-- Errors      PT409 resource_sealed, PT413 package_too_large, PT422 too_many_nodes
-- Locks       the flows, for share, lowest id first. Sharing locks the same rows: if sharing comes
--             first, the nodes are refused; if the nodes come first, sharing waits, and builds the
--             package in a later statement, which sees them.
create or replace function app.tg__lock_open_flows()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_flow_ids uuid[] := array(select distinct new_rows.flow_id from new_rows);
begin
  perform
  from public.flows as f
  where f.id = any (v_flow_ids)
  order by f.id
  for share;

  if exists (
    select
    from public.flows as f
    where f.id = any (v_flow_ids) and f.sealed_at is not null
  ) then
    perform app.fail(
      409,
      'resource_sealed',
      'This flow is shared and cannot change any more.',
      'Share a new flow, with new ids.'
    );
  end if;

  perform app.require_flow_fits(touched.id)
  from unnest(v_flow_ids) as touched (id);

  return null;
end
$$;

comment on function app.tg__lock_open_flows() is
  'Locks the flows of new nodes, and refuses nodes for a flow that is sealed or full.';
