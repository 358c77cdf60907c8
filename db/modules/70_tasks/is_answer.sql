-- app.is_answer
create or replace function app.is_answer(answer jsonb, schema jsonb)
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when is_answer.answer is null or is_answer.answer = 'null' then false
    when is_answer.schema ? 'enum' then
      jsonb_typeof(is_answer.answer) = 'string' and is_answer.schema -> 'enum' @> is_answer.answer
    -- A worker reads numbers as double precision.
    when is_answer.schema ->> 'type' = 'number' and jsonb_typeof(is_answer.answer) = 'number'
      then abs(is_answer.answer::numeric) <= 1.7976931348623157e308
    when is_answer.schema ? 'type' then
      jsonb_typeof(is_answer.answer) = is_answer.schema ->> 'type'
    else true
  end;
end
$$;

comment on function app.is_answer(jsonb, jsonb) is
  'Returns whether an answer fits the schema of its question. Without a schema, every value but '
  'null fits.';
