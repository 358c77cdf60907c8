-- app.tg_template_versions__protect_version
--
-- Errors      PT409 template_version_published, template_status_refused
create or replace function app.tg_template_versions__protect_version()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'draft' then
      perform app.fail(
        409,
        'template_status_refused',
        'A version must begin as a draft.',
        'Use publish_template_version.'
      );
    end if;
    return new;
  end if;

  if tg_op = 'DELETE' then
    if old.status <> 'draft' then
      perform app.fail(
        409,
        'template_version_published',
        'A published version cannot be deleted.',
        'Deprecate it instead.'
      );
    end if;
    return old;
  end if;

  if old.status <> new.status
    and (old.status, new.status) not in (('draft', 'stable'), ('stable', 'deprecated'))
  then
    perform app.fail(
      409,
      'template_status_refused',
      format('The status of a version cannot change from %s to %s.', old.status, new.status),
      'The status of a version moves from draft to stable to deprecated.'
    );
  end if;

  if ((old.id, old.template_id, old.semver, old.created_at)
      is distinct from (new.id, new.template_id, new.semver, new.created_at))
    or (
      old.status <> 'draft'
      and (
        old.changelog is distinct from new.changelog
        -- Deleting the publisher's account sets created_by to null. No other change is allowed.
        or (
          old.created_by is distinct from new.created_by
          and (
            new.created_by is not null
            or exists (select from public.users as u where u.id = old.created_by)
          )
        )
      )
    )
  then
    perform app.fail(
      409,
      'template_version_published',
      'A published version cannot change.',
      'Publish a new version.'
    );
  end if;

  if old.status = 'draft' and new.status = 'stable' then
    -- An older snapshot would still see files that another session has just deleted.
    perform app.require_read_committed();
    if not exists (select from public.artifacts as a where a.template_version_id = new.id) then
      perform app.fail(
        409,
        'template_status_refused',
        'A version without files cannot be stable.',
        'Use publish_template_version.'
      );
    end if;
  end if;

  return new;
end
$$;

comment on function app.tg_template_versions__protect_version() is
  'Refuses changes of published versions, and every change of status but draft to stable and '
  'stable to deprecated.';
