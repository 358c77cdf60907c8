-- The buckets of the studio: photos that users upload, and images that the worker makes of them.
set local lock_timeout = '5s';

do $$
begin
  -- A database without Supabase Storage or its shim: db/modules/80_studio/access.sql adds them later.
  if to_regclass('storage.buckets') is null then
    return;
  end if;

  insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
  values
    (
      'user_uploads', 'user_uploads', false, 20971520,
      array['image/jpeg', 'image/png', 'image/webp', 'image/heic', 'image/heif']
    ),
    ('generations', 'generations', true, null, array['image/jpeg', 'image/png', 'image/webp'])
  -- A project that began with origin 004 has made them by hand.
  on conflict (id) do update
    set
      public = excluded.public,
      file_size_limit = excluded.file_size_limit,
      allowed_mime_types = excluded.allowed_mime_types;
end
$$;
