-- app.read_text
--
-- Why         what a worker sends is read without ever failing
create or replace function app.read_text(value jsonb, length integer)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case jsonb_typeof(read_text.value) when 'string' then left(read_text.value #>> '{}', read_text.length) else '' end;
end
$$;

comment on function app.read_text(jsonb, integer) is 'A text, its first characters where it is too long; empty for anything else.';
