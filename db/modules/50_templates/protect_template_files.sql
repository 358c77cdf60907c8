-- app.tg_templates__protect, app.tg_template_versions__protect, app.tg__protect_template_files,
-- app.tg__leave_template_objects, app.tg__refuse_truncate
--
-- Errors      PT409 template_version_published, template_status_refused
-- Locks       the version, for share, when its files change: a publication comes before or after
create or replace function app.tg_templates__protect()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if (old.id, old.name, old.created_at) is distinct from (new.id, new.name, new.created_at) then
    perform app.fail(
      409, 'template_version_published', 'A template keeps its name: jobs ask for it.', 'Publish another template.'
    );
  end if;

  return new;
end
$$;

comment on function app.tg_templates__protect() is 'Keeps the names of templates as they are.';

create or replace function app.tg_template_versions__protect()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'draft' then
      perform app.fail(409, 'template_status_refused', 'A version begins as a draft.', 'Use publish_template_version.');
    end if;
    return new;
  end if;

  if tg_op = 'DELETE' then
    if old.status <> 'draft' then
      perform app.fail(409, 'template_version_published', 'A published version is kept for ever.', 'Deprecate it.');
    end if;
    return old;
  end if;

  if (old.status, new.status) not in (('draft', 'stable'), ('stable', 'deprecated')) and old.status <> new.status then
    perform app.fail(
      409,
      'template_status_refused',
      format('A version that is %s does not become %s.', old.status, new.status),
      'A version goes from draft to stable to deprecated.'
    );
  end if;

  if (old.id, old.template_id, old.semver, old.created_at)
      is distinct from (new.id, new.template_id, new.semver, new.created_at)
    or old.status <> 'draft' and (
      old.changelog is distinct from new.changelog
      -- A user's account may go; who published it is then no longer known.
      or new.created_by is distinct from old.created_by
        and (new.created_by is not null or exists (select from public.users as u where u.id = old.created_by))
    )
  then
    perform app.fail(
      409, 'template_version_published', 'A published version does not change.', 'Publish another version.'
    );
  end if;

  if old.status = 'draft' and new.status = 'stable' then
    -- An older snapshot would still see the files that another session has just deleted.
    perform app.require_read_committed();
  end if;
  if old.status = 'draft'
    and new.status = 'stable'
    and not exists (select from public.artifacts as a where a.template_version_id = new.id)
  then
    perform app.fail(
      409, 'template_status_refused', 'A version without files is not published.', 'Use publish_template_version.'
    );
  end if;

  return new;
end
$$;

comment on function app.tg_template_versions__protect() is
  'Keeps published versions as they are, and lets the status go from draft to stable to deprecated only.';

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

  if exists (select from public.template_versions as v where v.id = any (v_ids) and v.status <> 'draft') then
    perform app.fail(
      409,
      'template_version_published',
      'The files of a published version do not change.',
      'Publish another version.'
    );
  end if;

  return case tg_op when 'DELETE' then old else new end;
end
$$;

comment on function app.tg__protect_template_files() is 'Keeps the files of published versions as they are.';

create or replace function app.tg__leave_template_objects()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  insert into app.template_uploads (storage_path, upload_id, sha256, started_at)
  select g.storage_path, gen_random_uuid(), g.sha256, app.now()
  from gone as g
  order by g.storage_path
  on conflict on constraint template_uploads_pkey do nothing;

  return null;
end
$$;

comment on function app.tg__leave_template_objects() is
  'Leaves the objects of files that a draft has no more to the sweep.';

create or replace function app.tg__refuse_truncate()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.fail(409, 'template_version_published', 'Published versions are kept for ever.', 'Deprecate them.');

  return null;
end
$$;

comment on function app.tg__refuse_truncate() is 'Keeps a table from being emptied at once.';
