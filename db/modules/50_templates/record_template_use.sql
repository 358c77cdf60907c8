-- worker.record_template_use
--
-- Called by   the worker's resolver, after it has read a job's texts
-- Writes      template_uses
-- Idempotent  a later record of the same job replaces the earlier one
create or replace function worker.record_template_use(
  job_id bigint,
  name text,
  version text,
  hashes text[]
)
  returns boolean
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_version public.template_versions;
begin
  -- No prompt waits for a disk: losing the last records in a crash is acceptable.
  perform set_config('synchronous_commit', 'off', true);

  select v.* into v_version
  from public.templates as t
  join public.template_versions as v on v.template_id = t.id
  where t.name = record_template_use.name
    and v.semver = record_template_use.version
    and v.status <> 'draft'
    and record_template_use.hashes <@ array(
      select a.sha256 from public.artifacts as a where a.template_version_id = v.id
      union all
      select p.sha256 from public.prompts as p where p.template_version_id = v.id
    );
  if not found then
    -- The job used texts that were never published, such as an edited bundle under a published
    -- number. Comparisons of versions must not count them, so an earlier record goes, too.
    delete from app.template_uses as u
    using public.templates as t
    where u.job_id = record_template_use.job_id
      and t.name = record_template_use.name
      and u.template_id = t.id;
    return false;
  end if;

  insert into app.template_uses as u (job_id, template_id, template_version_id, run_id, used_at)
  select j.id, v_version.template_id, v_version.id, j.root_id, app.now()
  from public.jobs as j
  where j.id = record_template_use.job_id
  on conflict on constraint template_uses_pkey do update
  set template_version_id = excluded.template_version_id, used_at = excluded.used_at
  -- A step that polls records the same version many times: no write then.
  where u.template_version_id <> excluded.template_version_id;

  return found;
end
$$;

comment on function worker.record_template_use(bigint, text, text, text[]) is
$$Records which version of a template a job used.

hashes: the SHA-256 of each text that the job used, in lowercase hex. Returns false if nothing
was recorded: the same version is recorded already, the job is gone, or this version was not
published with these texts.$$;

grant execute on function worker.record_template_use(bigint, text, text, text[]) to worker;
