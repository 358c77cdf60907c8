-- app.require_node_count, app.require_flow_fits
--
-- Called by   app.read_flow; app.seal_flows and the triggers on the node tables
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
  select s.bytes, s.nodes into v_size
  from app.flow_size(require_flow_fits.flow_id) as s;

  perform app.require_node_count(v_size.nodes);
  if v_size.bytes > 5242880 then
    perform app.fail(413, 'package_too_large', 'A shared package may have 5 MiB at most.', 'Share less at once.');
  end if;
end
$$;

comment on function app.require_flow_fits(uuid) is 'Refuses a flow that is too large to be shared.';

revoke execute on function app.require_node_count(bigint) from public;
revoke execute on function app.require_flow_fits(uuid) from public;
