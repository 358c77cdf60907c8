-- app.require_public_resource
--
-- Errors      PT413 public_share_too_large
-- Why         adds up size_bytes, so that no document is read
create or replace function app.require_public_resource(resource_type text, resource_id uuid)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_size record;
begin
  select coalesce(sum(part.size_bytes), 0) as bytes, count(*) filter (where part.is_node) as nodes
  into v_size
  from (
    select f.size_bytes, false as is_node
    from public.flows as f
    where require_public_resource.resource_type = 'flow'
      and f.id = require_public_resource.resource_id
    union all
    select a.size_bytes, true
    from public.agents as a
    where require_public_resource.resource_type = 'flow'
      and a.flow_id = require_public_resource.resource_id
    union all
    select d.size_bytes, true
    from public.data_store_nodes as d
    where require_public_resource.resource_type = 'flow'
      and d.flow_id = require_public_resource.resource_id
    union all
    select i.size_bytes, true
    from public.if_nodes as i
    where require_public_resource.resource_type = 'flow'
      and i.flow_id = require_public_resource.resource_id
    union all
    select c.size_bytes, false
    from public.characters as c
    where require_public_resource.resource_type = 'card_character'
      and c.id = require_public_resource.resource_id
    union all
    select s.size_bytes, false
    from public.scenarios as s
    where require_public_resource.resource_type = 'card_scenario'
      and s.id = require_public_resource.resource_id
    union all
    select s.size_bytes, false
    from public.sessions as s
    where require_public_resource.resource_type = 'session'
      and s.id = require_public_resource.resource_id
  ) as part;

  perform app.require_public_size(v_size.bytes, v_size.nodes);
end
$$;

comment on function app.require_public_resource(text, uuid) is
  'Refuses a resource whose rows have too many bytes for a public share.';
