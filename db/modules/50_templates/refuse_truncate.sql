-- app.tg__refuse_truncate
--
-- Errors      PT409 template_version_published
create or replace function app.tg__refuse_truncate()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'template_version_published',
    format('%I cannot be truncated, because published versions are kept.', tg_table_name),
    'Deprecate versions instead.'
  );

  return null;
end
$$;

comment on function app.tg__refuse_truncate() is
  'Refuses truncate, which would delete published versions.';
