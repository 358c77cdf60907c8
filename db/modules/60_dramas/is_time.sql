-- app.is_time
create or replace function app.is_time(text text)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return is_time.text ~ (
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'
    '(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$'
  )
    and is_time.text::timestamptz is not null;
exception
  -- February 31 matches the pattern, too.
  when datetime_field_overflow
    or invalid_datetime_format
    or invalid_time_zone_displacement_value
  then
    return false;
end
$$;

comment on function app.is_time(text) is
  'Whether a text is a time with a time zone, such as 2026-01-31T10:00:00.123456+00:00.';
