-- app.tg_tasks__count_write
--
-- Writes      rate_limits
-- Errors      PT429 rate_limited
-- Locks       the caller's row of rate_limits, after all other rows
create or replace function app.tg_tasks__count_write()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.take_task_rate();

  return null;
end
$$;

comment on function app.tg_tasks__count_write() is
  'Counts a request that changes or deletes tasks against the caller''s limit per minute.';
