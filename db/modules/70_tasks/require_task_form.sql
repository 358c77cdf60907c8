-- app.require_task_form
--
-- Errors      PT422 mandate_invalid, max_ticks_invalid
-- Why         the domains check the values. Only a refusal calls app.get_domain_limit, because
--             reading the catalog takes longer than all other checks of a submission
create or replace function app.require_task_form(mandate text, max_ticks integer)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_constraint text;
begin
  begin
    perform
      require_task_form.mandate::app.task_mandate,
      require_task_form.max_ticks::app.task_max_ticks;
  exception
    when check_violation then
      get stacked diagnostics v_constraint = constraint_name;
  end;

  if coalesce(app.trim_text(require_task_form.mandate), '') = ''
    or v_constraint = 'task_mandate_fits' then
    perform app.fail(
      422,
      'mandate_invalid',
      format(
        'A mandate has 1 to %s characters, and not only white space.',
        app.get_domain_limit('app.task_mandate')
      ),
      'Say in mandate what the agent shall do.'
    );
  end if;
  if require_task_form.max_ticks is null or v_constraint is not null then
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
