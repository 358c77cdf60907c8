-- app.tg_shared_resources__seal
--
-- Called by   trigger _100_seal on shared_resources
-- Writes      sealed_at of what was shared; share_packages
-- Errors      PT413 package_too_large, PT422 resource_not_found, too_many_nodes
-- Locks       the flows, lowest id first; whoever adds nodes holds them for share
-- Why         after the insert, over the rows that are really there: a row that `on conflict do nothing` drops seals
--             nothing
create or replace function app.tg_shared_resources__seal()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_flow_ids uuid[];
begin
  if exists (select from new_shares where new_shares.resource_type <> 'flow') then
    perform app.fail(422, 'resource_not_found', 'There is no such resource to share.', 'Insert the resource first.');
  end if;

  -- Who brings the package has sealed the resource, too: app.share_flow.
  v_flow_ids := array(
    select new_shares.resource_id
    from new_shares
    where not exists (select from app.share_packages as p where p.share_id = new_shares.id)
  );
  if cardinality(v_flow_ids) = 0 then
    return null;
  end if;

  perform app.seal_flows(v_flow_ids);

  -- A later statement than the one that waited for the locks: it sees every node that got in before.
  insert into app.share_packages (share_id, package)
  select new_shares.id, app.build_flow_package(new_shares.resource_id)
  from new_shares
  where new_shares.resource_id = any (v_flow_ids);

  return null;
end
$$;

comment on function app.tg_shared_resources__seal() is 'Seals what is shared, and builds its package where there is none.';

revoke execute on function app.tg_shared_resources__seal() from public;
