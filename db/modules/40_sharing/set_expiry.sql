-- app.tg_shared_resources__set_expiry
--
-- Writes      deletes an expired share that has the same id
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
  -- The server's clock decides; a client whose clock is behind still gets its hour.
  if new.expires_at is null or new.expires_at <= v_now or new.expires_at > v_latest then
    new.expires_at := v_latest;
  end if;

  perform app.free_share_id(new.id);

  return new;
end
$$;

comment on function app.tg_shared_resources__set_expiry() is 'Lets the server''s clock decide when a share expires.';
