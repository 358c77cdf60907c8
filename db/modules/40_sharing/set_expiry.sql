-- app.tg_shared_resources__set_expiry
--
-- Writes      expires_at of the new share; deletes an expired share with the same id
create or replace function app.tg_shared_resources__set_expiry()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_latest timestamptz := v_now + interval '1 hour';
begin
  -- A client whose clock is slow still gets its hour.
  if new.expires_at is null or new.expires_at <= v_now or new.expires_at > v_latest then
    new.expires_at := v_latest;
  end if;

  perform app.free_share_id(new.id);

  return new;
end
$$;

comment on function app.tg_shared_resources__set_expiry() is
  'Sets when a new share expires by the clock of the server, at most an hour from now.';
