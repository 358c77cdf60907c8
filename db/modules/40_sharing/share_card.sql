-- app.share_card, public.share_card
--
-- Called by   clients
-- Writes      characters or scenarios, shared_resources, share_packages; rate_limits
-- Errors      PT400 document_too_deep, PT409 share_id_taken, PT413 package_too_large,
--             public_share_too_large,
--             PT422 asset_not_found, card_invalid, card_kind_unknown, share_id_missing,
--             visibility_unknown, PT429 rate_limited, too_many_public_shares, PT503 store_full
-- Idempotent  same share_id and same request, still alive: returns the first link, writes nothing
-- Locks       the caller (advisory) for a large card, the share_id (advisory), the icon's asset,
--             then the caller's row of rate_limits
-- The functions of earlier releases, without revoke_token.
drop function if exists public.share_card(json, uuid, text, uuid, text);
drop function if exists app.share_card(json, uuid, text, uuid, text);

create or replace function app.share_card(
  card json,
  icon_asset_id uuid,
  kind text,
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
  v_card json;
  v_hash bigint;
  v_now timestamptz := app.now();
  v_link public.share_link;
  v_package json;
begin
  perform app.require_writing();
  perform app.require_share_room();
  v_card := app.parse_card(share_card.card);
  v_hash := app.hash_request(json_build_array(v_card, share_card.icon_asset_id));
  if share_card.kind is null or share_card.kind not in ('character', 'scenario') then
    perform app.fail(
      422,
      'card_kind_unknown',
      format('Unknown kind of card "%s".', left(share_card.kind, 50)),
      'Use character or scenario.'
    );
  end if;
  perform app.require_share_options(share_card.share_id, share_card.visibility);

  perform app.lock_share_id(share_card.share_id);
  v_link := app.find_share(
    share_card.share_id,
    'card_' || share_card.kind,
    share_card.visibility,
    v_hash,
    share_card.revoke_token
  );
  if v_link.share_id is not null then
    -- Parsing the card again was work, too.
    perform app.take_share_rate(octet_length(v_card::text));
    return v_link;
  end if;

  if share_card.visibility = 'public' then
    perform app.require_public_size(octet_length(v_card::text));
    perform app.require_public_count(1);
  end if;

  -- Before the foreign key would refuse a missing icon with 23503.
  perform app.lock_assets(array_remove(array[share_card.icon_asset_id], null));

  v_package := app.fill_card(v_card, share_card.icon_asset_id, v_now, v_now);
  -- Before a constraint of the card's row would refuse it with 23514.
  perform app.require_package_size(octet_length(v_package::text));

  return app.insert_share(
    share_card.share_id,
    'card_' || share_card.kind,
    app.insert_card(v_card, share_card.kind, share_card.icon_asset_id),
    share_card.visibility,
    v_package,
    v_hash,
    share_card.revoke_token
  );
end
$$;

comment on function app.share_card(json, uuid, text, uuid, text, uuid) is
  'Shares a card in one transaction; see public.share_card.';

create or replace function public.share_card(
  card json,
  icon_asset_id uuid default null,
  kind text default 'character',
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
return app.share_card(card, icon_asset_id, kind, share_id, visibility, revoke_token);

comment on function public.share_card(json, uuid, text, uuid, text, uuid) is
$$Shares a character or scenario card for an hour, in one request.

card: Character Card V2, { spec: "chara_card_v2", spec_version: "2.0", data: { name, … } }, or V1 or
V3, at most 5 MiB; it opens as V2. A missing or null field gets the default of the specification.
icon_asset_id: the assetId of the answer of POST /api/assets, or null. kind: character (default) or
scenario. share_id: a UUID that the client makes; repeating a request with the same id is safe.
visibility: unlisted (default) or public. revoke_token: a UUID with which revoke_share can delete
the share, or null.
Returns { share_id, url, expires_at }.
get_shared_resource returns the same card with all unknown fields and extensions. It adds icon_url,
createdAt and updatedAt to data.extensions, and cardSummary and version, which repeat creator_notes
and character_version.
A public card may have at most 256 KiB; a caller may have at most 20 live public shares
(app.settings).
409 share_id_taken: the id belongs to another share. 413 package_too_large, public_share_too_large.
422 asset_not_found, card_invalid (the message names the field), card_kind_unknown,
share_id_missing, visibility_unknown. 400 document_too_deep. 429 rate_limited,
too_many_public_shares. 503 store_full. Origin 000, section 2.$$;

grant execute on function app.share_card(json, uuid, text, uuid, text, uuid)
  to anon, authenticated, service_role;
grant execute on function public.share_card(json, uuid, text, uuid, text, uuid)
  to anon, authenticated, service_role;
