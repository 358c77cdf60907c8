-- app.delete_spent_media_days
--
-- Called by   schedule delete-spent-media-days
-- Why         keeps two more days, because a transaction reserves on the day on which it began
create or replace function app.delete_spent_media_days()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_before constant date := app.utc_day() - 2;
  v_deleted integer;
begin
  delete from app.media_returns as r
  where r.day < v_before;
  with spent as (
    select d.id
    from app.media_days as d
    where d.day < v_before
    order by d.day
    limit 10000
    for update skip locked
  )
  delete from app.media_days as d
  using spent
  where d.id = spent.id;
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_spent_media_days() is
  'Deletes the reserved media of past days, 10,000 days at a time, and returns how many.';
