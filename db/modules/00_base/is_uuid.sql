-- app.is_uuid
create or replace function app.is_uuid(value text)
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return is_uuid.value ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
end
$$;

comment on function app.is_uuid(text) is
  'Returns whether a text is a UUID in the form that clients write; null for null.';
