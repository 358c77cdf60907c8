-- app.require_depth
--
-- Errors      PT400 document_too_deep
create or replace function app.require_depth(document jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if require_depth.document
    @? 'strict $.**{100} ? (@.type() == "array" || @.type() == "object")'
  then
    perform app.fail(
      400,
      'document_too_deep',
      'The document has more than 100 levels of arrays and objects.',
      'Send a document with fewer levels.'
    );
  end if;
end
$$;

comment on function app.require_depth(jsonb) is
  'Refuses a document with more than 100 levels of arrays and objects; 400 document_too_deep.';
