-- Templates: versions of prompt bundles, what files they have, which version is used, and by which jobs it was.
set local lock_timeout = '5s';

create schema if not exists ops;
comment on schema ops is 'Views for operators. Not exposed; no role but postgres has USAGE.';

create table public.templates (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  default_version_id uuid,
  -- With this in its key, the reference below holds only while the version is stable.
  default_version_status text
    generated always as (case when default_version_id is not null then 'stable' end) stored,
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint templates_name_is_unique unique (name),
  constraint templates_name_is_plain
    check (name ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and octet_length(name) <= 63)
);
create index templates_default_version_idx
  on public.templates (default_version_id, id, default_version_status);
alter table public.templates enable row level security;
comment on table public.templates is 'Bundles of prompts, by name. What is in a version, template_manifest tells.';
comment on column public.templates.default_version_id is 'The version that is used when none is asked for: a stable one.';
comment on column public.templates.default_version_status is 'stable, where there is a default version.';
comment on column public.templates.enabled is
  'False: users do not see it, and workers use the files that come with the code.';

create table public.template_versions (
  id uuid primary key default gen_random_uuid(),
  template_id uuid not null references public.templates (id),
  semver text not null,
  precedence text collate "C" not null generated always as (
    lpad(split_part(split_part(semver, '-', 1), '.', 1), 18, '0') || '.'
    || lpad(split_part(split_part(semver, '-', 1), '.', 2), 18, '0') || '.'
    || lpad(split_part(split_part(semver, '-', 1), '.', 3), 18, '0')
    -- Prereleases come before their release. Of their parts numbers come before words, by their value; a shorter list
    -- comes before a longer one that begins with it. In ASCII: space < # < - < 0 < A < a < ~.
    || case strpos(semver, '-')
      when 0 then '~'
      else regexp_replace(
        regexp_replace(
          ' ' || replace(substr(semver, strpos(semver, '-') + 1), '.', ' '),
          ' ([0-9]+)(?= |$)',
          ' #000000000000000000\1',
          'g'
        ),
        '#0+([0-9]{18})(?= |$)',
        '#\1',
        'g'
      )
    end
  ) stored,
  status text not null default 'draft',
  created_by uuid references public.users (id) on delete set null,
  changelog text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint template_versions_semver_is_unique unique (template_id, semver),
  constraint template_versions_precedence_is_unique unique (template_id, precedence),
  -- What a template's default and its channels refer to.
  constraint template_versions_status_can_be_referred_to unique (template_id, id, status),
  constraint template_versions_semver_is_semver check (
    semver ~ ('^(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})'
      '(-(0|[1-9][0-9]{0,17}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]{0,17}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?$')
    and octet_length(semver) <= 64
  ),
  constraint template_versions_status_is_known check (status in ('draft', 'stable', 'deprecated')),
  constraint template_versions_changelog_is_short check (octet_length(changelog) <= 10000)
);
create index template_versions_created_by_idx on public.template_versions (created_by);
alter table public.template_versions enable row level security;
comment on table public.template_versions is
  'Versions of templates. One that is no draft any more never changes, but for its status, and is kept for ever. Who published '
  'one is not for users to read, so name the columns: select=id,template_id,semver,status,changelog,created_at. Two keys join it '
  'with templates: template_versions!template_versions_template_id_fkey(semver,status).';
comment on column public.template_versions.semver is
  'SemVer 2.0.0. Without build metadata: versions that differ in it alone would be of the same rank.';
comment on column public.template_versions.precedence is 'Sorts versions as SemVer does.';
comment on column public.template_versions.status is 'draft, stable or deprecated; it moves in this order only.';
comment on column public.template_versions.created_by is 'Who published it, where that was said.';

alter table public.templates
  add constraint templates_default_version_is_its_own_and_stable
  foreign key (id, default_version_id, default_version_status)
  references public.template_versions (template_id, id, status);

create table public.artifacts (
  id uuid primary key default gen_random_uuid(),
  template_version_id uuid not null references public.template_versions (id),
  kind text not null,
  storage_path text not null,
  sha256 text not null,
  size_bytes integer not null,
  content_type text not null,
  locale text,
  created_at timestamptz not null default now(),
  constraint artifacts_kind_and_locale_are_unique unique nulls not distinct (template_version_id, kind, locale),
  constraint artifacts_storage_path_is_unique unique (storage_path),
  constraint artifacts_kind_is_plain check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint artifacts_storage_path_is_plain check (
    storage_path ~ '^[a-z0-9][a-z0-9_-]*/v[0-9A-Za-z.-]+/[A-Za-z0-9][A-Za-z0-9._-]*$'
    and octet_length(storage_path) <= 300
  ),
  constraint artifacts_sha256_is_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint artifacts_size_bytes_is_small check (size_bytes between 1 and 1048576),
  constraint artifacts_content_type_is_plain check (content_type ~ '^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}$'),
  constraint artifacts_locale_is_known check (locale in ('fr', 'en'))
);
alter table public.artifacts enable row level security;
comment on table public.artifacts is 'Files of template versions, in bucket template-artifacts.';
comment on column public.artifacts.kind is 'What it is for, such as master_prompt.';
comment on column public.artifacts.storage_path is 'Its key in the bucket, such as section7/v1.0.0/section7_master.md.';
comment on column public.artifacts.sha256 is 'SHA-256 of the bytes, in hex.';
comment on column public.artifacts.locale is 'fr or en; null serves both.';

create table public.prompts (
  id uuid primary key default gen_random_uuid(),
  template_version_id uuid not null references public.template_versions (id),
  role text not null,
  locale text,
  storage_path text not null,
  sha256 text not null,
  created_at timestamptz not null default now(),
  constraint prompts_role_and_locale_are_unique unique nulls not distinct (template_version_id, role, locale),
  constraint prompts_storage_path_is_unique unique (storage_path),
  constraint prompts_role_is_known check (role in ('system', 'manager', 'user')),
  constraint prompts_storage_path_is_plain check (
    storage_path ~ '^[a-z0-9][a-z0-9_-]*/v[0-9A-Za-z.-]+/[A-Za-z0-9][A-Za-z0-9._-]*$'
    and octet_length(storage_path) <= 300
  ),
  constraint prompts_sha256_is_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint prompts_locale_is_known check (locale in ('fr', 'en'))
);
alter table public.prompts enable row level security;
comment on table public.prompts is 'Prompts of template versions by the role that speaks them, in bucket template-artifacts.';
comment on column public.prompts.role is 'system, manager or user.';
comment on column public.prompts.storage_path is 'Its key in the bucket.';
comment on column public.prompts.sha256 is 'SHA-256 of the bytes, in hex.';
comment on column public.prompts.locale is 'fr or en; null serves both.';

create table app.template_channels (
  template_id uuid not null,
  channel text not null,
  template_version_id uuid not null,
  version_status text not null generated always as ('stable') stored,
  weight integer not null,
  constraint template_channels_pkey primary key (template_id, channel, template_version_id),
  constraint template_channels_version_is_of_the_template_and_stable
    foreign key (template_id, template_version_id, version_status)
    references public.template_versions (template_id, id, status),
  constraint template_channels_channel_is_plain check (channel ~ '^[a-z][a-z0-9-]{0,39}$'),
  constraint template_channels_channel_is_free check (channel not in ('latest', 'stable')),
  constraint template_channels_weight_is_percent check (weight between 1 and 100)
);
create index template_channels_version_idx
  on app.template_channels (template_version_id, template_id, version_status);
alter table app.template_channels enable row level security;
comment on table app.template_channels is
  'Names that operators have given to versions; with several versions, which share of callers gets which. What is left of '
  'the 100 gets the default version. Channel "default" is what callers get who ask for none.';
comment on column app.template_channels.weight is 'How many of a hundred callers.';

create table app.template_uses (
  job_id bigint not null,
  template_id uuid not null references public.templates (id),
  template_version_id uuid not null references public.template_versions (id),
  -- To a run, not a job: deleting ten thousand jobs must not look here ten thousand times.
  run_id bigint not null references app.runs (id) on delete cascade,
  used_at timestamptz not null,
  constraint template_uses_pkey primary key (job_id, template_id)
);
create index template_uses_run_id_idx on app.template_uses (run_id);
create index template_uses_template_id_idx on app.template_uses (template_id);
create index template_uses_template_version_id_idx on app.template_uses (template_version_id);
alter table app.template_uses enable row level security;
comment on table app.template_uses is 'Which version of a template a job used last. Goes with its run.';

create table app.template_uploads (
  storage_path text primary key,
  upload_id uuid not null,
  sha256 text not null,
  started_at timestamptz not null,
  claimed_at timestamptz,
  claim_id uuid,
  constraint template_uploads_claim_has_time check ((claim_id is null) = (claimed_at is null)),
  constraint template_uploads_sha256_is_sha256 check (sha256 ~ '^[0-9a-f]{64}$')
);
create index template_uploads_started_at_idx on app.template_uploads (started_at);
alter table app.template_uploads enable row level security;
comment on table app.template_uploads is
  'Objects that no version has: of versions that are being published, written before the objects, so that what a broken '
  'publication leaves is known; and those that a draft had. The worker deletes them an hour later.';
comment on column app.template_uploads.claimed_at is 'When a worker last set out to delete the object.';
comment on column app.template_uploads.claim_id is 'Which claim that was: a worker that slept knows by it that another came.';
