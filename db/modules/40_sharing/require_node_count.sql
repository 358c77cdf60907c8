-- app.require_node_count
--
-- Errors      PT422 too_many_nodes
create or replace function app.require_node_count(nodes bigint)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if require_node_count.nodes > app.get_share_limit('flow_nodes') then
    perform app.fail(
      422,
      'too_many_nodes',
      format(
        'A flow may have at most %s agents, data stores and if-nodes together.',
        app.get_share_limit('flow_nodes')
      ),
      'Share a smaller flow.'
    );
  end if;
end
$$;

comment on function app.require_node_count(bigint) is 'Refuses a flow that has too many nodes.';
