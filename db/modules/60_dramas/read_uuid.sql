-- app.read_uuid
--
-- Why         what a worker sends is read without ever failing
create or replace function app.read_uuid(value jsonb)
  returns uuid
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case when app.is_uuid(read_uuid.value #>> '{}') then (read_uuid.value #>> '{}')::uuid end;
end
$$;

comment on function app.read_uuid(jsonb) is 'A UUID; null for anything else.';
