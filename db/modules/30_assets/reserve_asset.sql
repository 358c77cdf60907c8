-- sidecar.reserve_asset
--
-- Called by   the sidecar, when it has all bytes and before it writes the object
-- Writes      asset_uploads, or assets.used_at
-- Errors      PT413 asset_too_large, PT415 asset_type_unsupported, PT422 asset_empty
-- Why         the row is written before the object, so that no object in the store lacks a row.
--             Each upload has a key of its own, so that a failed upload can delete its object
--             without harm to another.
create or replace function sidecar.reserve_asset(
  name text,
  hash text,
  size_byte bigint,
  mime_type text
)
  returns table (asset_id uuid, object_key text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_max_bytes integer := (select s.asset_max_bytes from app.settings as s);
  v_refusal record;
  v_extension text;
begin
  if reserve_asset.size_byte > v_max_bytes then
    v_refusal := app.describe_asset_limit(v_max_bytes);
    perform app.fail(413, 'asset_too_large', v_refusal.message, v_refusal.hint);
  end if;
  if reserve_asset.size_byte < 1 then
    perform app.fail(422, 'asset_empty', 'The file is empty.', 'Send a file with content.');
  end if;

  select t.extension into v_extension
  from app.asset_types as t
  where t.mime_type = reserve_asset.mime_type;
  if not found then
    perform app.fail(
      415,
      'asset_type_unsupported',
      'The file has an unsupported type, judged by its first bytes.',
      (
        select format('Send one of: %s.', string_agg(t.mime_type, ', ' order by t.mime_type))
        from app.asset_types as t
      )
    );
  end if;

  asset_id := app.keep_asset(reserve_asset.hash);
  if asset_id is null then
    asset_id := gen_random_uuid();
    object_key := format(
      'shared-assets/%s/%s', asset_id, app.safe_file_name(reserve_asset.name, v_extension)
    );
    insert into app.asset_uploads (id, name, hash, size_byte, mime_type, object_key, started_at)
    values (
      asset_id,
      -- 60 characters have at most 240 bytes; assets_name_is_short allows 255.
      coalesce(nullif(left(reserve_asset.name, 60), ''), 'file'),
      reserve_asset.hash,
      reserve_asset.size_byte,
      reserve_asset.mime_type,
      object_key,
      app.now()
    );
  end if;

  return next;
end
$$;

comment on function sidecar.reserve_asset(text, text, bigint, text) is
$$Checks a file and returns the key under which to store it.

name: as the client sent it. hash: SHA-256 of the bytes, in hex. mime_type: as the first bytes tell.
Returns asset_id and object_key. object_key is null if an asset has the same bytes: then asset_id is
that asset, and there is nothing to store.
413 asset_too_large, 415 asset_type_unsupported (the hint lists the types), 422 asset_empty.$$;

grant execute on function sidecar.reserve_asset(text, text, bigint, text) to sidecar;
