-- app.parse_text
--
-- Why         never fails: an error would undo a whole batch of steps
create or replace function app.parse_text(value jsonb, length integer)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case jsonb_typeof(parse_text.value)
    when 'string' then left(parse_text.value #>> '{}', parse_text.length)
    else ''
  end;
end
$$;

comment on function app.parse_text(jsonb, integer) is
  'Returns the first length characters of a JSON string; an empty text for any other JSON.';
