-- app.find_template_list_fault
create or replace function app.find_template_list_fault(
  version text,
  artifacts jsonb,
  prompts jsonb
)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_prefix text := format(
    '%s/v%s/',
    coalesce(
      split_part(find_template_list_fault.artifacts -> 0 ->> 'storage_path', '/', 1), '<folder>'
    ),
    find_template_list_fault.version
  );
begin
  if jsonb_typeof(find_template_list_fault.artifacts) is distinct from 'array'
    or jsonb_typeof(find_template_list_fault.prompts) is distinct from 'array'
  then
    return 'artifacts and prompts must be arrays.';
  end if;

  if jsonb_array_length(find_template_list_fault.artifacts) not between 1 and 100
    or jsonb_array_length(find_template_list_fault.prompts) > 100
  then
    return 'A version needs 1 to 100 artifacts and has at most 100 prompts.';
  end if;

  return coalesce(
    app.find_template_file_fault(find_template_list_fault.artifacts, 'artifact', v_prefix),
    app.find_template_file_fault(find_template_list_fault.prompts, 'prompt', v_prefix)
  );
end
$$;

comment on function app.find_template_list_fault(text, jsonb, jsonb) is
  'Says what is wrong with the JSON of a version''s files: the lists, or the first invalid file. '
  'Null if nothing is wrong.';
