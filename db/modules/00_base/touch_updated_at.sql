-- app.tg__touch_updated_at
create or replace function app.tg__touch_updated_at()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  -- Rises even within one transaction, and when the clock goes back: whoever compares it never misses a change.
  new.updated_at := greatest(app.now(), old.updated_at + interval '1 microsecond');
  return new;
end
$$;

comment on function app.tg__touch_updated_at() is 'Sets updated_at at every update.';
