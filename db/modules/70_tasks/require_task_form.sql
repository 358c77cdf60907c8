-- app.require_task_form
--
-- Errors      PT422 mandate_invalid, max_ticks_invalid
create or replace function app.require_task_form(mandate text, max_ticks integer)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if not coalesce(
    char_length(require_task_form.mandate)
      between 1 and app.get_domain_limit('app.task_mandate'),
    false
  ) then
    perform app.fail(
      422,
      'mandate_invalid',
      format(
        'A mandate has 1 to %s characters.', app.get_domain_limit('app.task_mandate')
      ),
      'Say in mandate what the agent shall do.'
    );
  end if;
  if not coalesce(
    require_task_form.max_ticks between 1 and app.get_domain_limit('app.task_max_ticks'), false
  ) then
    perform app.fail(
      422,
      'max_ticks_invalid',
      format(
        'max_ticks is not a number from 1 to %s.', app.get_domain_limit('app.task_max_ticks')
      ),
      'Send a number of ticks in this range, or leave out max_ticks.'
    );
  end if;
end
$$;

comment on function app.require_task_form(text, integer) is
  'Refuses a mandate or a number of ticks that a task cannot have: 422 mandate_invalid, '
  'max_ticks_invalid.';
