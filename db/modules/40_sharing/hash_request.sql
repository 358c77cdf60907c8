-- app.hash_request
--
-- Errors      PT400 document_too_deep
-- Why         a repeated request may have its keys in another order, so it hashes the text of
--             jsonb. (jsonb's own hash function does not see where a list ends.) This function also
--             checks the depth, because another conversion to jsonb would take time.
create or replace function app.hash_request(request json)
  returns bigint
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_request jsonb;
begin
  -- jsonb would print a short number such as 1e131071 in full. With such a number, only the same
  -- text counts as the same request.
  if hash_request.request::text ~ '[[:space:]:,[]-?[0-9.]+[eE][+-]?[0-9]{2}' then
    perform app.require_json_depth(hash_request.request);
    return hashtextextended(hash_request.request::text, 0);
  end if;

  v_request := hash_request.request::jsonb;
  perform app.require_depth(v_request);
  return hashtextextended(v_request::text, 0);
exception
  -- jsonb cannot hold the document; again only the same text counts.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character
    or program_limit_exceeded
  then
    perform app.require_json_depth(hash_request.request);
    return hashtextextended(hash_request.request::text, 0);
end
$$;

comment on function app.hash_request(json) is
  'Returns the same number for two documents that differ only in white space or order of keys; 400 '
  'document_too_deep.';
