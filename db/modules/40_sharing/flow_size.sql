-- app.flow_size
--
-- Called by   app.require_flow_fits
create or replace function app.flow_size(flow_id uuid)
  returns table (bytes bigint, nodes bigint)
  language sql
  stable
  set search_path = ''
begin atomic
  with nodes as (
    select a.size_bytes from public.agents as a where a.flow_id = flow_size.flow_id
    union all
    select d.size_bytes from public.data_store_nodes as d where d.flow_id = flow_size.flow_id
    union all
    select i.size_bytes from public.if_nodes as i where i.flow_id = flow_size.flow_id
  )
  select
    coalesce(sum(nodes.size_bytes), 0)
      + (select f.size_bytes from public.flows as f where f.id = flow_size.flow_id),
    count(*)
  from nodes;
end;

comment on function app.flow_size(uuid) is 'How many bytes of content and how many nodes a flow has.';

revoke execute on function app.flow_size(uuid) from public;
