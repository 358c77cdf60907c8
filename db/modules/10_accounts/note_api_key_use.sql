-- app.note_api_key_use
--
-- Writes      rate_limits for a key that may write; api_key_secrets once a minute
-- Errors      PT429 rate_limited
-- Locks       the key's row of rate_limits, then its row of api_key_secrets, which it never waits for; both until the
--             request ends, for PostgREST calls nothing after it
-- Why         so the requests of one key that may write run one after another. At the default of ten a second each has
--             100 ms, and a client that wants more makes more keys. Counting apart from the requests would let through
--             whatever runs at once; lanes would refuse before the limit. Who waits too long gets a 429 with a reason,
--             not a 500 from the statement timeout.
create or replace function app.note_api_key_use(key_id uuid, can_write boolean)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  set lock_timeout = '2s'
as $$
begin
  if note_api_key_use.can_write then
    begin
      perform app.take_rate(
        'api_key_writes',
        note_api_key_use.key_id::text,
        (select s.api_key_writes_per_minute from app.settings as s),
        interval '1 minute'
      );
    exception
      when lock_not_available then
        perform app.fail(
          429,
          'rate_limited',
          'Another request of this API key takes long, and they write one after another.',
          'Try again in 1 s, or use a key for each client.',
          '{"Retry-After": "1"}'
        );
    end;
  end if;

  with due as (
    select u.key_id
    from app.api_key_secrets as u
    where u.key_id = note_api_key_use.key_id
      and (u.used_at is null or u.used_at <= app.now() - interval '1 minute')
    for no key update skip locked
  )
  update app.api_key_secrets as u
  set used_at = app.now(), is_published = false
  from due
  where u.key_id = due.key_id;
end
$$;

comment on function app.note_api_key_use(uuid, boolean) is
  'Counts a request against what the API key may write, and notes when it was last used.';
