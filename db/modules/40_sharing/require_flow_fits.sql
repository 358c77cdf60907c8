-- app.require_flow_fits
--
-- Errors      PT413 package_too_large, PT422 too_many_nodes
-- Why         adds up size_bytes, so that no document is read before its package is built
create or replace function app.require_flow_fits(flow_id uuid)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_size record;
begin
  with nodes as (
    select a.size_bytes from public.agents as a where a.flow_id = require_flow_fits.flow_id
    union all
    select d.size_bytes
    from public.data_store_nodes as d
    where d.flow_id = require_flow_fits.flow_id
    union all
    select i.size_bytes from public.if_nodes as i where i.flow_id = require_flow_fits.flow_id
  )
  select
    coalesce(sum(nodes.size_bytes), 0)
      + (select f.size_bytes from public.flows as f where f.id = require_flow_fits.flow_id)
      as bytes,
    count(*) as nodes
  into v_size
  from nodes;

  perform app.require_node_count(v_size.nodes);
  perform app.require_package_size(v_size.bytes);
end
$$;

comment on function app.require_flow_fits(uuid) is
  'Refuses a flow whose rows are too many or too large for a package.';
