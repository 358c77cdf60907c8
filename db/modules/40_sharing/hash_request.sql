-- app.hash_request
--
-- Why         a repetition may write the same content in another order. (Not jsonb's own hash: it does not see where a
--             list ends.)
create or replace function app.hash_request(request json)
  returns bigint
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  -- jsonb prints a short number such as 1e131071 in full. What has one is the same only to the letter.
  if hash_request.request::text ~ '[[:space:]:,[]-?[0-9.]+[eE][+-]?[0-9]{2}' then
    return hashtextextended(hash_request.request::text, 0);
  end if;

  return hashtextextended(hash_request.request::jsonb::text, 0);
exception
  -- And so is what jsonb cannot hold.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character
    or program_limit_exceeded
  then
    return hashtextextended(hash_request.request::text, 0);
end
$$;

comment on function app.hash_request(json) is 'The same number for two documents that say the same.';
