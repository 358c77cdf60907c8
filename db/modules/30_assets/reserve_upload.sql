-- sidecar.reserve_upload
--
-- Called by   the sidecar, when it has all bytes and before it writes the object
-- Writes      asset_uploads, asset_bytes, rate_limits, or assets and asset_times
-- Errors      PT413 asset_too_large, PT415 asset_type_unsupported, PT422 asset_empty,
--             asset_has_too_many_pixels, PT429 rate_limited, PT503 store_full
-- Locks       the asset with the same bytes, the caller's row of rate_limits, the session's row of
--             asset_bytes
-- Why         the row is written before the object, so that no object in the store lacks a row.
--             Each upload has a key of its own, so that a failed upload can delete its object
--             without harm to another. Name and key tell only the type, because the same bytes have
--             one row for all who upload them.
create or replace function sidecar.reserve_upload(
  caller text,
  units integer,
  hash text,
  received_bytes bigint,
  stored_bytes bigint,
  mime_type text,
  pixels bigint
)
  returns table (id uuid, object_key text, url text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_settings app.settings;
  v_refusal record;
  v_extension text;
  -- Bytes that are known are not stored again, so they cost no more than the request.
  v_cost integer := 1;
begin
  select * into v_settings from app.settings;

  if reserve_upload.received_bytes > v_settings.asset_max_bytes then
    v_refusal := app.describe_asset_limit(v_settings.asset_max_bytes);
    perform app.fail(413, 'asset_too_large', v_refusal.message, v_refusal.hint);
  end if;
  if reserve_upload.received_bytes < 1 then
    perform app.fail(422, 'asset_empty', 'The file is empty.', 'Send a file with content.');
  end if;

  v_extension := app.require_asset_type(reserve_upload.mime_type);
  if reserve_upload.pixels > v_settings.asset_max_pixels then
    perform app.fail(
      422,
      'asset_has_too_many_pixels',
      format(
        'The picture has %s pixels; %s are allowed.',
        reserve_upload.pixels, v_settings.asset_max_pixels
      ),
      'Send a smaller picture.'
    );
  end if;

  id := app.keep_asset(reserve_upload.hash);
  if id is null then
    v_cost := app.count_upload_units(reserve_upload.received_bytes);
  end if;
  if reserve_upload.caller is not null then
    perform app.settle_rate(
      'asset_uploads',
      reserve_upload.caller,
      v_settings.asset_uploads_per_minute,
      interval '1 minute',
      v_cost - reserve_upload.units
    );
  end if;

  if id is not null then
    url := app.asset_url(id);
  else
    perform app.require_room(reserve_upload.stored_bytes);
    id := gen_random_uuid();
    object_key := format('shared-assets/%s/file.%s', id, v_extension);
    insert into app.asset_uploads (id, name, hash, size_byte, mime_type, object_key, started_at)
    values (
      id,
      format('file.%s', v_extension),
      reserve_upload.hash,
      reserve_upload.stored_bytes,
      reserve_upload.mime_type,
      object_key,
      app.now()
    );
  end if;

  return next;
end
$$;

comment on function sidecar.reserve_upload(text, integer, text, bigint, bigint, text, bigint) is
$$Checks a file and returns the key under which to store it.

caller: from find_uploader; null: nothing is counted. units: from start_upload. hash: SHA-256 of the
bytes as received, in hex. stored_bytes: the size of what is stored. mime_type: as the first bytes
tell. pixels: width times height, or null if the file does not say. Returns id, object_key and url.
object_key is null if an asset has the same bytes: then id and url are that asset's, and there is
nothing to store.
413 asset_too_large, 415 asset_type_unsupported (the hint lists the types), 422 asset_empty,
422 asset_has_too_many_pixels, 429 rate_limited, 503 store_full.$$;

grant execute
  on function sidecar.reserve_upload(text, integer, text, bigint, bigint, text, bigint)
  to sidecar;
