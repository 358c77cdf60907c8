-- app.tg__touch_updated_at
--
-- Why         security definer, because a client that may update a table may not enter schema app,
--             where the clock is
create or replace function app.tg__touch_updated_at()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  -- updated_at rises even within one transaction, and when the clock goes back, so that a
  -- comparison sees every change.
  new.updated_at := greatest(app.now(), old.updated_at + interval '1 microsecond');
  return new;
end
$$;

comment on function app.tg__touch_updated_at() is
  'Sets updated_at on every update of a row.';
