-- app.require_original
--
-- Errors      PT404 original_not_found, PT422 original_too_large, original_type_unsupported
-- Why         the worker's key for Storage opens every folder, so this function alone decides which
--             object a request may name. A path with "." or ".." as a segment, or with an empty
--             one, is refused even if such an object exists, because an HTTP client may resolve the
--             segment and load an object of another folder. All refused paths get the same error,
--             so a caller cannot learn which objects other folders have
create or replace function app.require_original(
  user_id uuid,
  inout path text,
  out etag text,
  out size bigint
)
  returns record
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_type text;
  v_max_bytes integer;
begin
  path := regexp_replace(path, '^user_uploads/', '');
  if starts_with(path, require_original.user_id || '/')
    and octet_length(path) <= 1024
    and path !~ '(^|/)[.]{0,2}(/|$)'
  then
    select
      o.metadata ->> 'eTag', app.parse_bigint(o.metadata -> 'size'), o.metadata ->> 'mimetype'
    into etag, size, v_type
    from storage.objects as o
    where o.bucket_id = any (array['user_uploads']) and o.name = any (array[path]);
  end if;
  if coalesce(etag, '') = '' or size is null then
    perform app.fail(
      404,
      'original_not_found',
      'Photo not found.',
      'Upload the photo to bucket user_uploads, into the folder with your user id, and send its '
        'path.'
    );
  end if;

  v_max_bytes := (select s.original_max_bytes from app.settings as s);
  if size not between 1 and v_max_bytes then
    perform app.fail(
      422,
      'original_too_large',
      format('The photo has %s bytes. A photo may have 1 to %s bytes.', size, v_max_bytes),
      'Make the photo smaller and upload it again.'
    );
  end if;
  if not coalesce(
    lower(v_type) in ('image/jpeg', 'image/png', 'image/webp', 'image/heic', 'image/heif'), false
  ) then
    perform app.fail(
      422,
      'original_type_unsupported',
      'The file is not a photo of a type that the studio reads.',
      'Upload a JPEG, PNG, WebP, HEIC or HEIF image with its content type.'
    );
  end if;
end
$$;

comment on function app.require_original(uuid, text) is
$$Returns the path, ETag and size of a photo that the user has uploaded.

path: of an object in bucket user_uploads, with or without the name of the bucket in front.
404 original_not_found: the object is missing or in a folder of another user. 422
original_too_large, original_type_unsupported.$$;
