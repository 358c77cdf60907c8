-- app.tg_templates__protect_name
--
-- Errors      PT409 template_version_published
create or replace function app.tg_templates__protect_name()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if (old.id, old.name, old.created_at) is distinct from (new.id, new.name, new.created_at) then
    perform app.fail(
      409,
      'template_version_published',
      'The name of a template cannot change, because jobs ask for it.',
      'Publish another template.'
    );
  end if;

  return new;
end
$$;

comment on function app.tg_templates__protect_name() is 'Refuses changes of a template''s name.';
