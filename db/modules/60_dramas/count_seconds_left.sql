-- app.count_seconds_left
create or replace function app.count_seconds_left()
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return greatest(
    1,
    ceil(extract(epoch from (app.utc_day() + 1)::timestamp at time zone 'UTC' - app.now()))::integer
  );
end
$$;

comment on function app.count_seconds_left() is
  'Counts the seconds until the day (UTC) of app.utc_day ends, for Retry-After.';
