-- sidecar.reserve_asset
--
-- Called by   the sidecar, when it has the bytes and before it writes the object
-- Writes      asset_uploads, or assets.used_at
-- Errors      PT413 asset_too_large, PT415 asset_type_unsupported, PT422 asset_empty
-- Why         the row comes before the object, so that nothing in the store is ever without one; each upload has a key
--             of its own, so that whoever fails can delete its object without harm to another
create or replace function sidecar.reserve_asset(name text, hash text, size_byte bigint, mime_type text)
  returns table (asset_id uuid, object_key text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_max_bytes integer := (select s.asset_max_bytes from app.settings as s);
  v_extension text;
begin
  if reserve_asset.size_byte > v_max_bytes then
    perform app.fail(
      413, 'asset_too_large', format('A file may have %s bytes at most.', v_max_bytes), 'Send a smaller file.'
    );
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
      'The bytes of this file are of no type that can be uploaded.',
      (select 'Send one of: ' || string_agg(t.mime_type, ', ' order by t.mime_type) || '.' from app.asset_types as t)
    );
  end if;

  asset_id := app.keep_asset(reserve_asset.hash);
  if asset_id is null then
    asset_id := gen_random_uuid();
    object_key := format('shared-assets/%s/%s', asset_id, app.safe_file_name(reserve_asset.name, v_extension));
    insert into app.asset_uploads (id, name, hash, size_byte, mime_type, object_key, started_at)
    values (
      asset_id,
      -- 60 characters are 240 bytes at most.
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
  'Checks a file and says under which key to store it; without a key when its bytes are known: then asset_id is all.';

grant execute on function sidecar.reserve_asset(text, text, bigint, text) to sidecar;
