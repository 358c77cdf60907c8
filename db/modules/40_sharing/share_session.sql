-- app.share_session, public.share_session
--
-- Called by   clients
-- Writes      sessions, session_icons, shared_resources, share_packages; rate_limits
-- Errors      PT400 document_too_deep, PT409 share_id_taken, PT413 package_too_large,
--             public_share_too_large,
--             PT422 asset_not_found, flow_invalid, session_invalid, share_id_missing,
--             too_many_nodes, visibility_unknown, PT429 rate_limited, too_many_public_shares,
--             PT503 store_full
-- Idempotent  same share_id and same request, still alive: returns the first link, writes nothing
-- Locks       the caller (advisory) for a large package, the share_id (advisory), the assets, then
--             the caller's row of rate_limits
-- The functions of earlier releases, without revoke_token.
drop function if exists public.share_session(json, json, uuid, text);
drop function if exists app.share_session(json, json, uuid, text);

create or replace function app.share_session(
  session json,
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
  v_session json;
  v_flow json;
  v_shown_flow json;
  v_hash bigint;
  v_link public.share_link;
  v_session_id uuid := gen_random_uuid();
  v_package json;
begin
  perform app.require_writing();
  perform app.require_share_room();
  v_session := app.parse_session(share_session.session);
  if json_typeof(share_session.flow) <> 'null' then
    v_flow := app.parse_flow(share_session.flow);
  elsif json_typeof(share_session.session -> 'flow') <> 'null' then
    -- get_shared_resource returns the flow as a field, so a client can share its answer again.
    v_flow := app.parse_flow(share_session.session -> 'flow');
  end if;
  v_shown_flow := coalesce(v_flow, app.find_live_flow(v_session ->> 'flow_id'));
  perform app.lock_large_package(
    octet_length(v_session::text) + coalesce(octet_length(v_shown_flow::text), 0)
  );
  perform app.require_share_options(share_session.share_id, share_session.visibility);

  perform app.lock_share_id(share_session.share_id);
  v_hash := app.hash_request(json_build_array(v_session, v_flow));
  v_link := app.find_share(
    share_session.share_id,
    'session',
    share_session.visibility,
    v_hash,
    share_session.revoke_token
  );
  if v_link.share_id is not null then
    -- A repeated request also costs the parsing of the session.
    perform app.take_share_rate(octet_length(v_session::text));
    return v_link;
  end if;

  if share_session.visibility = 'public' then
    -- The flow does not count: it is in the package only, and no list contains packages.
    perform app.require_public_size(octet_length(v_session::text));
    perform app.require_public_count(1);
  end if;

  -- Before the foreign keys would refuse a missing asset with 23503. The trigger of the insert
  -- locks the icons.
  perform app.lock_assets(array_remove(
    array[(v_session ->> 'background_id')::uuid, (v_session ->> 'cover_id')::uuid], null
  ));

  insert into public.sessions (
    id, title, all_cards, user_character_card_id, turn_ids, background_id, cover_id, translation,
    chat_styles, flow_id, sealed_at
  )
  select
    v_session_id, s.title, s.all_cards, s.user_character_card_id, s.turn_ids, s.background_id,
    s.cover_id, s.translation, s.chat_styles, s.flow_id, app.now()
  from json_to_record(v_session) as s(
    title text, all_cards json, user_character_card_id text, turn_ids json, background_id uuid,
    cover_id uuid, translation json, chat_styles json, flow_id text
  );

  v_package := app.fill_session(v_session, v_shown_flow);
  perform app.require_package_size(octet_length(v_package::text));

  return app.insert_share(
    share_session.share_id,
    'session',
    v_session_id,
    share_session.visibility,
    v_package,
    v_hash,
    share_session.revoke_token
  );
end
$$;

comment on function app.share_session(json, json, uuid, text, uuid) is
  'Shares a session in one transaction; see public.share_session.';

create or replace function public.share_session(
  session json,
  flow json default null,
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
return app.share_session(session, flow, share_id, visibility, revoke_token);

comment on function public.share_session(json, json, uuid, text, uuid) is
$$Shares a session for an hour, in one request.

session: { title, all_cards, user_character_card_id, turn_ids, background_id, cover_id, translation,
chat_styles, flow_id }. background_id, cover_id and icon_asset_id of each card are the assetId of
the answer of POST /api/assets, or null; the other ids are the client's own. flow: the session's
flow as share_flow takes it; with null, the field flow of session is used. At most 5 MiB and 1000
cards. share_id: a UUID that the client makes; repeating a request with the same id is safe.
visibility: unlisted (default) or public. revoke_token: a UUID with which revoke_share can delete
the share, or null.
Returns { share_id, url, expires_at }.
get_shared_resource returns the same session with icon_url in each card, background_url, cover_url
and flow. flow is the flow of this request. Without a flow in the request, flow is the row of table
flows with the id flow_id if the share of this row is live, and otherwise null.
A public session may have at most 256 KiB, without its flow; a caller may have at most 20 live
public shares (app.settings).
409 share_id_taken: the id belongs to another share. 413 package_too_large, public_share_too_large.
422 asset_not_found, flow_invalid, session_invalid (the message names the field), share_id_missing,
too_many_nodes, visibility_unknown. 400 document_too_deep. 429 rate_limited,
too_many_public_shares. 503 store_full. Origin 000, section 2.$$;

grant execute on function app.share_session(json, json, uuid, text, uuid)
  to anon, authenticated, service_role;
grant execute on function public.share_session(json, json, uuid, text, uuid)
  to anon, authenticated, service_role;
