-- app.tg__touch_dramas
--
-- Writes      dramas.updated_at
-- Locks       the dramas, after the rows below them: a transaction that writes to several dramas
--             locks them first, lowest id first
create or replace function app.tg__touch_dramas()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  -- Trigger _100_touch_updated_at on dramas sets the time.
  update public.dramas as d
  set updated_at = d.updated_at
  where d.id in (select r.drama_id from changed_rows as r);
  return null;
end
$$;

comment on function app.tg__touch_dramas() is
  'Raises updated_at of the dramas whose characters, episodes or scenes changed.';
