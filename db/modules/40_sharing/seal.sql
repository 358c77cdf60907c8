-- app.tg_shared_resources__seal
--
-- Writes      sealed_at of the shared resources; share_packages
-- Errors      PT413 package_too_large, public_share_too_large, PT422 card_invalid,
--             resource_not_found, session_invalid, too_many_nodes, PT429 rate_limited
-- Locks       the resources, by type, lowest id first; a client that adds nodes to a flow holds it
--             for share
-- Why         runs after the insert, over the rows that exist: a row that `on conflict do nothing`
--             drops seals nothing
create or replace function app.tg_shared_resources__seal()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_type record;
begin
  for v_type in
    select n.resource_type, array_agg(n.resource_id) as ids
    from new_shares as n
    -- app.insert_share has inserted the package, and its resource is sealed.
    where not exists (select from app.share_packages as p where p.share_id = n.id)
    group by n.resource_type
    order by n.resource_type
  loop
    perform app.seal_resources(v_type.resource_type, v_type.ids);

    -- A later statement than the one that waited for the locks: it sees every node that was
    -- committed before.
    perform app.require_flow_fits(wanted.id)
    from unnest(v_type.ids) as wanted (id)
    where v_type.resource_type = 'flow';

    perform app.require_public_resource(n.resource_type, n.resource_id)
    from new_shares as n
    where n.resource_type = v_type.resource_type
      and n.resource_id = any (v_type.ids)
      and n.visibility = 'public';

    insert into app.share_packages (
      share_id, package, caller_hash, counted_until, owner_id, title, icon_url
    )
    select
      n.id,
      b.package,
      case n.visibility when 'public' then app.hash_caller() end,
      case n.visibility when 'public' then n.expires_at end,
      app.find_sharer(),
      d.title,
      d.icon_url
    from new_shares as n
    cross join lateral (
      select app.build_package(n.resource_type, n.resource_id) as package
    ) as b
    cross join lateral app.describe_package(n.resource_type, b.package) as d
    where n.resource_type = v_type.resource_type and n.resource_id = any (v_type.ids);
  end loop;

  return null;
end
$$;

comment on function app.tg_shared_resources__seal() is
  'Seals the resources of new shares, and builds the packages that are missing.';
