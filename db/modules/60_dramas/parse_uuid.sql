-- app.parse_uuid
--
-- Why         never fails: an error would undo a whole batch of steps
create or replace function app.parse_uuid(value jsonb)
  returns uuid
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when app.is_uuid(parse_uuid.value #>> '{}') then (parse_uuid.value #>> '{}')::uuid
  end;
end
$$;

comment on function app.parse_uuid(jsonb) is
  'Returns a JSON string as UUID; null for any other JSON.';
