-- app.is_same_json
--
-- Called by   app.find_share
-- Why         a client repeats the same text; only where the texts differ is it worth, and safe, to read them as jsonb,
--             which cannot hold every number and string that json can
create or replace function app.is_same_json(a json, b json)
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if is_same_json.a::text = is_same_json.b::text then
    return true;
  end if;

  return is_same_json.a::jsonb = is_same_json.b::jsonb;
exception
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character then
    return false;
end
$$;

comment on function app.is_same_json(json, json) is
  'Whether two documents say the same; what jsonb cannot hold is the same only to the letter.';

revoke execute on function app.is_same_json(json, json) from public;
