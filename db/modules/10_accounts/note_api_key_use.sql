-- app.note_api_key_use
--
-- Writes      rate_limits for a key that may write; api_key_secrets once a minute
-- Errors      PT429 rate_limited
-- Locks       the key's row of rate_limits, then its row of api_key_secrets, without waiting for
--             the latter; both until the request ends, because PostgREST calls nothing after it
-- Why         Requests of one key that may write run one after another. At the default of ten a
--             second each has 100 ms; a client that needs more creates more keys. A count outside
--             the request's transaction would let all concurrent requests through. A request that
--             waits too long gets a 429 with a reason instead of a 500 from the statement timeout.
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
          'Requests of this API key run one after another, and another one is running.',
          'Try again in 1 s, or use a separate key for each client.',
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
  'Counts a request against the write limit of an API key, and records when the key was last used.';
