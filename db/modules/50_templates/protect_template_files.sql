-- app.tg__protect_template_files
--
-- Errors      PT409 template_version_published
-- Locks       the version, for share, so that its publication is either complete or has not begun
create or replace function app.tg__protect_template_files()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids uuid[] := case tg_op
    when 'INSERT' then array[new.template_version_id]
    when 'DELETE' then array[old.template_version_id]
    else array[old.template_version_id, new.template_version_id]
  end;
begin
  perform
  from public.template_versions as v
  where v.id = any (v_ids)
  order by v.id
  for share;

  if exists (
    select from public.template_versions as v where v.id = any (v_ids) and v.status <> 'draft'
  ) then
    perform app.fail(
      409,
      'template_version_published',
      'The files of a published version cannot change.',
      'Publish a new version.'
    );
  end if;

  return case tg_op when 'DELETE' then old else new end;
end
$$;

comment on function app.tg__protect_template_files() is
  'Refuses changes of the files of published versions.';
