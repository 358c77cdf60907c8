-- app.share_flow, public.share_flow
--
-- Called by   clients
-- Writes      shared_resources, share_packages; flows, agents, data_store_nodes, if_nodes for a
--             public share; rate_limits
-- Errors      PT400 document_too_deep, PT409 share_id_taken, PT413 package_too_large,
--             public_share_too_large,
--             PT422 flow_invalid, share_id_missing, too_many_nodes, visibility_unknown,
--             PT429 rate_limited, too_many_public_shares, PT503 store_full
-- Idempotent  same share_id and same request, still alive: returns the first link, writes nothing
-- Locks       the caller (advisory) for a large flow, the share_id (advisory), new rows, then the
--             caller's row of rate_limits
-- The functions of earlier releases, without revoke_token.
drop function if exists public.share_flow(json, uuid, text);
drop function if exists app.share_flow(json, uuid, text);

create or replace function app.share_flow(
  flow json,
  share_id uuid,
  visibility text,
  revoke_token uuid
)
  returns public.share_link
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_flow json;
  v_hash bigint;
  v_link public.share_link;
begin
  perform app.require_writing();
  perform app.require_share_room();
  v_flow := app.parse_flow(share_flow.flow);
  v_hash := app.hash_request(v_flow);
  perform app.require_share_options(share_flow.share_id, share_flow.visibility);

  perform app.lock_share_id(share_flow.share_id);
  v_link := app.find_share(
    share_flow.share_id, 'flow', share_flow.visibility, v_hash, share_flow.revoke_token
  );
  if v_link.share_id is not null then
    -- Parsing the flow again was work, too.
    perform app.take_share_rate(octet_length(v_flow::text));
    return v_link;
  end if;

  if share_flow.visibility = 'public' then
    perform app.require_public_count(1);
  end if;

  return app.insert_share(
    share_flow.share_id,
    'flow',
    -- No client may select the rows of an unlisted flow, so it gets none: its package is the flow.
    case share_flow.visibility
      when 'public' then app.insert_flow(v_flow)
      else gen_random_uuid()
    end,
    share_flow.visibility,
    v_flow,
    v_hash,
    share_flow.revoke_token
  );
end
$$;

comment on function app.share_flow(json, uuid, text, uuid) is
  'Shares a flow in one transaction; see public.share_flow.';

create or replace function public.share_flow(
  flow json,
  share_id uuid default null,
  visibility text default 'unlisted',
  revoke_token uuid default null
)
  returns public.share_link
  language sql
  volatile
  -- A large package may take longer than anon's 3 s when many come at once.
  set statement_timeout = '10s'
  set search_path = ''
return app.share_flow(flow, share_id, visibility, revoke_token);

comment on function public.share_flow(json, uuid, text, uuid) is
$$Shares a flow for an hour, in one request.

flow: { name, description, nodes, edges, responseTemplate, agents, dataStoreNodes, ifNodes } as the
editor exports it, at most 5 MiB and 1000 nodes; get_shared_resource returns the same JSON.
share_id: a UUID that the client makes; repeating a request with the same id is safe.
visibility: unlisted (default) or public. revoke_token: a UUID with which revoke_share can delete
the share, or null. Returns { share_id, url, expires_at }.
A public flow may have at most 256 KiB, and each node counts 1 KiB more; a caller may have at most
20 live public shares (app.settings).
409 share_id_taken: the id belongs to another share. 413 package_too_large, public_share_too_large.
422 flow_invalid (the message names the place, or the right name of a field), share_id_missing,
too_many_nodes, visibility_unknown. 400 document_too_deep; 22P05: the flow has the character
\u0000. 429 rate_limited, too_many_public_shares. 503 store_full. Origin 000, section 2: one request
instead of five.$$;

grant execute on function app.share_flow(json, uuid, text, uuid)
  to anon, authenticated, service_role;
grant execute on function public.share_flow(json, uuid, text, uuid)
  to anon, authenticated, service_role;
