-- app.require_json_depth
--
-- Errors      PT400 document_too_deep
create or replace function app.require_json_depth(document json)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_brackets text;
begin
  perform app.require_depth(require_json_depth.document::jsonb);
exception
  -- jsonb cannot hold the document. So this function keeps only the brackets outside of strings,
  -- and removes one level after another, the innermost first.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character
    or program_limit_exceeded
  then
    v_brackets := translate(
      regexp_replace(
        require_json_depth.document::text, '"(?:[^"\\]|\\.)*"|[^][{}"]+', '', 'g'
      ),
      '{}', '[]'
    );
    for v_level in 1 .. 100 loop
      exit when v_brackets = '';
      v_brackets := replace(v_brackets, '[]', '');
    end loop;
    if v_brackets <> '' then
      perform app.fail(
        400,
        'document_too_deep',
        'The document has more than 100 levels of arrays and objects.',
        'Send a document with fewer levels.'
      );
    end if;
end
$$;

comment on function app.require_json_depth(json) is
  'Refuses a document with more than 100 levels of arrays and objects; 400 document_too_deep.';
