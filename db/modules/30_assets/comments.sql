-- Comments on the tables and columns of this module.

comment on column app.settings.asset_max_bytes is
  'The largest file that can be uploaded. Limit per file: 413 asset_too_large.';
comment on column app.settings.asset_max_pixels is
  'The largest picture that can be uploaded: width times height. Limit per file: 422 '
  'asset_has_too_many_pixels.';
comment on column app.settings.asset_uploads_per_minute is
  'How many units of uploads a client address has per minute. An upload counts once, and once more '
  'for each 256 KiB; known bytes count once. Limit per address: 429 rate_limited.';
comment on column app.settings.asset_bytes_max is
  'The bytes of all uploaded files together. Limit per server: 503 store_full.';
comment on column app.settings.unreferenced_bytes_max is
  'The bytes of uploaded files that nothing shows, together. Limit per server: 503 store_full.';
comment on column app.settings.asset_grace is
  'How long a file that nothing shows is kept. Limit per file: the file is deleted.';

comment on table app.asset_types is
$$Types of files that can be uploaded, as the first bytes of a file tell.

An operator may add types. SVG is left out because it can carry scripts.$$;
comment on column app.asset_types.mime_type is 'MIME type, in lower case.';
comment on column app.asset_types.extension is 'Extension of the stored file, without the dot.';

comment on table public.assets is
$$Uploaded files.

Upload a file with POST /api/assets of the sidecar, which answers { "assetId": …, "url": … }. The
same bytes get the same asset. A row can be selected while a public share shows it.$$;
comment on column public.assets.id is 'Id to send as icon_asset_id, background_id or cover_id.';
comment on column public.assets.name is
  'Always file.<extension>, because all who upload the same bytes share the row.';
comment on column public.assets.hash is 'SHA-256 of the bytes as they were uploaded, in hex.';
comment on column public.assets.size_byte is 'Size of the stored file in bytes.';
comment on column public.assets.mime_type is 'Type, as the first bytes tell.';
comment on column public.assets.file_path is 'URL at which clients load the file, on the CDN.';
comment on column public.assets.object_key is 'Key in the object store; never used again.';
comment on column public.assets.status is
$$live, orphaned or deleting.

orphaned: no row has shown the asset for a grace period. deleting: the worker deletes the object,
and the asset counts as absent.$$;
comment on table app.asset_times is
$$Times of the assets, one row each, and the bytes that count against the limits.

The times are not in assets, because clients must not see when a file was first uploaded.$$;
comment on column app.asset_times.status is 'The status of the asset, for the indexes.';
comment on column app.asset_times.used_at is
  'Time of the last upload of these bytes, or of the last check that found the asset shown.';
comment on column app.asset_times.status_at is 'Time at which status changed.';
comment on column app.asset_times.created_at is 'Time of the first upload.';
comment on column app.asset_times.size_byte is 'The size of the asset, for the sums.';
comment on column app.asset_times.is_referenced is 'Whether the last check found the asset shown.';

comment on table app.asset_bytes is
$$Bytes of uploads and assets, in parts: the sums of all rows are exact.

app.sum_asset_bytes() returns them.$$;
comment on column app.asset_bytes.slot is 'Sessions choose a row by their process id.';
comment on column app.asset_bytes.stored_bytes is
  'A part of the bytes of all uploads and assets; may be negative.';
comment on column app.asset_bytes.unreferenced_bytes is
  'A part of the bytes that nothing is known to refer to; may be negative.';

comment on table app.asset_uploads is
$$Uploads in progress.

A row is written before its object, so that every object in the store has a row that names it.$$;
comment on column app.asset_uploads.id is 'Id of the asset that the upload becomes.';
comment on column app.asset_uploads.started_at is 'Time at which the sidecar had all bytes.';
comment on column app.asset_uploads.claimed_at is
  'Time at which the worker claimed the broken upload to delete its object; null until then.';
