-- app.tg_objects__count_photo
--
-- Called by   trigger _100_count_photo of storage.objects, which triggers.sql creates
-- Writes      rate_limits
-- Errors      42501: Storage passes on the message of no other code
-- Locks       the user's rows of rate_limits, photos before bytes, after the object
-- Why         no policy can count. Storage inserts the row as the user, before it reads the file,
--             and rolls back. Then it stores the row as service_role, which policies do not
--             restrain. The trigger fires both times. At the first insert, it can refuse the photo
--             before the client has sent the file. At the second insert, it knows the size, and
--             uploads at the same moment wait for each other. The second check also covers signed
--             URLs, for which Storage asks no policy
create or replace function app.tg_objects__count_photo()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_key text := 'user ' || new.owner_id;
  v_bytes bigint := coalesce(
    app.parse_bigint(new.metadata -> 'size'), app.parse_bigint(new.metadata -> 'contentLength'), 0
  );
  v_settings record;
  v_refusal json;
begin
  -- An update counts only if it stores a new file: a move does not.
  if tg_op = 'UPDATE'
    and (
      new.version is not distinct from old.version
      or (new.bucket_id, new.name) <> (old.bucket_id, old.name)
    )
  then
    return null;
  end if;

  select s.originals_per_day, s.original_bytes_per_day into v_settings from app.settings as s;
  perform app.take_rate('originals', v_key, v_settings.originals_per_day, interval '1 day');
  -- KiB, because the counts of app.take_rate are integers.
  perform app.take_rate(
    'original_bytes',
    v_key,
    (v_settings.original_bytes_per_day / 1024)::integer,
    interval '1 day',
    least(ceil(v_bytes / 1024.0), 2147483647)::integer
  );

  return null;
exception
  when sqlstate 'PGRST' then
    get stacked diagnostics v_refusal = message_text;
    raise exception using
      errcode = '42501',
      message = format(
        'You may upload %s photos and %s MiB per day. %s',
        v_settings.originals_per_day,
        v_settings.original_bytes_per_day / 1048576,
        v_refusal ->> 'hint'
      ),
      detail = 'rate_limited';
end
$$;

comment on function app.tg_objects__count_photo() is
  'Counts a photo that a user uploads against originals_per_day and original_bytes_per_day; 42501 '
  'when a limit is spent.';
