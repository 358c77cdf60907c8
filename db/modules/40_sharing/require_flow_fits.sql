-- app.require_node_count, app.require_flow_fits
--
-- Errors      PT413 package_too_large, PT422 too_many_nodes
create or replace function app.require_node_count(nodes bigint)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if require_node_count.nodes > 1000 then
    perform app.fail(
      422,
      'too_many_nodes',
      'A flow may have 1,000 agents, data stores and if-nodes at most.',
      'Share a smaller flow.'
    );
  end if;
end
$$;

comment on function app.require_node_count(bigint) is 'Refuses a flow with too many nodes.';

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
    select d.size_bytes from public.data_store_nodes as d where d.flow_id = require_flow_fits.flow_id
    union all
    select i.size_bytes from public.if_nodes as i where i.flow_id = require_flow_fits.flow_id
  )
  select
    coalesce(sum(nodes.size_bytes), 0)
      + (select f.size_bytes from public.flows as f where f.id = require_flow_fits.flow_id) as bytes,
    count(*) as nodes
  into v_size
  from nodes;

  perform app.require_node_count(v_size.nodes);
  if v_size.bytes > 5242880 then
    perform app.fail(413, 'package_too_large', 'A shared package may have 5 MiB at most.', 'Share less at once.');
  end if;
end
$$;

comment on function app.require_flow_fits(uuid) is 'Refuses a flow that is too large to be shared.';
