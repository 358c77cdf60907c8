-- app.refuse_step_fault
--
-- Errors      PT422 step_invalid, step_key_invalid, step_type_unknown
create or replace function app.refuse_step_fault(fault text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_kind text := split_part(refuse_step_fault.fault, ' ', 1);
  v_rest text := substr(refuse_step_fault.fault, length(v_kind) + 2);
begin
  if v_kind = 'key' then
    perform app.fail(
      422,
      'step_key_invalid',
      format('"%s" cannot be the key of a step.', v_rest),
      'Use 1 to 80 of a-z, 0-9, and _.:-'
    );
  elsif v_kind = 'type' then
    perform app.fail(
      422,
      'step_type_unknown',
      format('There is no job type "%s".', v_rest),
      'Use a name of job_types.'
    );
  elsif v_kind is not null then
    perform app.fail(422, 'step_invalid', format('The steps are malformed: %s.', v_rest), 'See the comment of submit_run.');
  end if;
end
$$;

comment on function app.refuse_step_fault(text) is 'Refuses steps for what app.parse_steps found in one of them; null passes.';
