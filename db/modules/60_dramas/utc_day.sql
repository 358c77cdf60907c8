-- app.utc_day
create or replace function app.utc_day()
  returns date
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (app.now() at time zone 'UTC')::date;
end
$$;

comment on function app.utc_day() is
  'Returns the day (UTC) to which a reservation of this transaction counts.';
