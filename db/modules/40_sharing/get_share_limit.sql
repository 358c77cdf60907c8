-- app.get_share_limit
--
-- Why         each limit of sharing is a number in this file only. The constraints of the tables
--             repeat some of them, because a constraint is part of a migration;
--             db/tests/40_sharing/get_share_limit.test.sql compares the two. The planner replaces a
--             call with its result, so a check costs nothing; an open session keeps that result, so
--             a change needs a reconnect.
create or replace function app.get_share_limit(name text)
  returns integer
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  case get_share_limit.name
    when 'package_bytes' then return 5 * 1024 * 1024;
    when 'large_package_bytes' then return 256 * 1024;
    when 'request_rows' then return 1000;
    when 'flow_name_bytes' then return 1000;
    when 'flow_nodes' then return 1000;
    when 'node_id_bytes' then return 200;
    when 'card_fields' then return 10000;
    when 'session_fields' then return 1000;
    when 'session_cards' then return 1000;
    -- A limit of null would refuse nothing.
    else raise case_not_found using message = format('Unknown limit "%s".', get_share_limit.name);
  end case;
end
$$;

comment on function app.get_share_limit(text) is
$$Returns a limit of sharing by its name.

package_bytes: The shared package. Limit per share: 413 package_too_large.
large_package_bytes: Above this size, a caller shares one package at a time; the others wait for up
to 5 s. Limit per caller: 429 rate_limited.
request_rows: Rows of a direct insert. Limit per request: 413 too_many_rows.
flow_name_bytes: The name of a flow. Limit per flow: 422 flow_invalid.
flow_nodes: Agents, data stores and if-nodes of a flow. Limit per flow: 422 too_many_nodes.
node_id_bytes: The id of a node. Limit per node: 422 flow_invalid.
card_fields: Fields or elements of an object or array. Limit per object of a card: 422 card_invalid.
session_fields: Fields of an object. Limit per object of a session: 422 session_invalid.
session_cards: Characters and scenarios of a session. Limit per session: 422 session_invalid.$$;
