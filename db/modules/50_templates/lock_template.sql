-- app.lock_template
--
-- Errors      PT404 template_not_found
-- Locks       the template, so that its operators' changes run one after the other
create or replace function app.lock_template(name text)
  returns public.templates
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_template public.templates;
begin
  perform app.require_read_committed();

  select * into v_template
  from public.templates as t
  where t.name = lock_template.name
  -- Jobs record their use of the template, whose foreign key takes a key share lock, and must not
  -- wait for a publication.
  for no key update;
  if not found then
    perform app.fail(
      404,
      'template_not_found',
      format('Template "%s" not found.', left(lock_template.name, 100)),
      'Use the name of a template in templates.'
    );
  end if;

  return v_template;
end
$$;

comment on function app.lock_template(text) is
  'Locks the template of this name until commit, and returns it.';
