-- app.tg_api_keys__delete_key_rates
--
-- Writes      rate_limits
create or replace function app.tg_api_keys__delete_key_rates()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.delete_rates(array(select k.id::text from old_keys as k));

  return null;
end
$$;

comment on function app.tg_api_keys__delete_key_rates() is
  'Deletes the rate limits of deleted API keys.';
