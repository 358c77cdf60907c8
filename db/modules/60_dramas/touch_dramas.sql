-- app.tg__touch_dramas
--
-- Writes      dramas.updated_at
-- Locks       the dramas, after the rows below them: whoever writes more than one locks them first, lowest id first
create or replace function app.tg__touch_dramas()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  -- _100_touch_updated_at on dramas says to what.
  update public.dramas as d
  set updated_at = d.updated_at
  where d.id in (select r.drama_id from changed_rows as r);
  return null;
end
$$;

comment on function app.tg__touch_dramas() is 'Notes in a drama that something below it has changed.';
