-- app.refuse_step_fault
--
-- Errors      PT422 step_invalid, step_key_invalid, step_type_unknown
create or replace function app.refuse_step_fault(slug text, message text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if refuse_step_fault.slug = 'step_key_invalid' then
    perform app.fail(
      422,
      'step_key_invalid',
      refuse_step_fault.message,
      'Use 1 to 80 characters of a-z, 0-9, "_", ".", ":" and "-".'
    );
  elsif refuse_step_fault.slug = 'step_type_unknown' then
    perform app.fail(
      422, 'step_type_unknown', refuse_step_fault.message, 'Use a name of table job_types.'
    );
  else
    perform app.fail(
      422,
      'step_invalid',
      refuse_step_fault.message,
      'A step has the fields key, type, input, depends_on, steps, on_failure, collect and '
      'priority. See the description of submit_run.'
    );
  end if;
end
$$;

comment on function app.refuse_step_fault(text, text) is
  'Refuses a list of steps because of the fault that app.parse_steps found. The slug decides the '
  'hint.';
