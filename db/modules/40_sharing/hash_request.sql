-- app.hash_request
--
-- Called by   app.share_flow, app.share_card, app.share_session
-- Why         a repetition may write the same content in another order. jsonb hashes without being printed: there a short
--             number can have 131 KB
create or replace function app.hash_request(request json)
  returns bigint
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return jsonb_hash_extended(hash_request.request::jsonb, 0);
exception
  -- What jsonb cannot hold is the same only to the letter.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character
    or program_limit_exceeded
  then
    return hashtextextended(hash_request.request::text, 0);
end
$$;

comment on function app.hash_request(json) is 'The same number for two documents that say the same.';

revoke execute on function app.hash_request(json) from public;
