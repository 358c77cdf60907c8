-- app.take_drama_rate
--
-- Writes      rate_limits
-- Errors      PT429 rate_limited
create or replace function app.take_drama_rate()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.take_rate(
    'dramas',
    app.caller_key(),
    (select s.dramas_per_day from app.settings as s),
    interval '1 day'
  );
end
$$;

comment on function app.take_drama_rate() is
  'Counts a generated drama against the caller''s daily limit; 429 rate_limited.';
