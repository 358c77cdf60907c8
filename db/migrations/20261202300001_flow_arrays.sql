-- A flow that a client inserts directly has lists of nodes and edges, as share_flow requires it:
-- editors that open its share expect them. Rows from before live for an hour.
set local lock_timeout = '5s';

alter table public.flows
  add constraint flows_nodes_is_array check (json_typeof(nodes) = 'array') not valid,
  add constraint flows_edges_is_array check (json_typeof(edges) = 'array') not valid;
