-- Comments on the tables and columns of templates (origin 001).

comment on schema ops is
  'Views for operators. Not exposed through the API: only postgres has USAGE.';

comment on table public.templates is
$$Templates: bundles of prompts, by name. template_manifest returns the files of a version.

Signed-in users read enabled templates; service_role reads all and changes enabled. Origin 001.$$;
comment on column public.templates.name is
  'Unique; a-z, 0-9 and single hyphens, at most 63 bytes. Never changes.';
comment on column public.templates.default_version_id is
  'The version that callers get if they ask for no version: a stable version of this template, or '
  'null.';
comment on column public.templates.default_version_status is
  'stable if there is a default version, else null. A foreign key uses it to keep the default '
  'version stable.';
comment on column public.templates.enabled is
  'False hides the template from users and makes workers use the bundle that is part of their '
  'code.';

comment on table public.template_versions is
$$Versions of templates. A published version changes only its status, and is never deleted.

Signed-in users read versions that are not drafts. Two foreign keys connect versions with templates,
so embed with template_versions!template_versions_template_id_fkey(semver,status). Origin 001.$$;
comment on column public.template_versions.semver is
  'SemVer 2.0.0, at most 64 bytes. Build metadata is not allowed: versions that differ only in it '
  'would have equal rank.';
comment on column public.template_versions.precedence is
  'Sorts versions in the order of SemVer. Generated from semver.';
comment on column public.template_versions.status is
  'draft, stable or deprecated. Moves only forward, one step at a time.';
comment on column public.template_versions.created_by is
  'The user who published the version; null if unknown or if the account was deleted.';
comment on column public.template_versions.changelog is
  'Text of the publisher, at most 10000 bytes.';

comment on table public.artifacts is
$$Files of template versions. Their bytes are objects in bucket template-artifacts.

A version has one file of a kind for all languages, or one in each of its languages. Origin 001.$$;
comment on column public.artifacts.kind is 'The purpose of the file, such as master_prompt.';
comment on column public.artifacts.storage_path is
  'The object''s key in the bucket, such as section7/v1.0.0/section7_master.md.';
comment on column public.artifacts.sha256 is 'SHA-256 of the bytes, in lowercase hex.';
comment on column public.artifacts.size_bytes is 'From 1 to 1048576.';
comment on column public.artifacts.locale is 'fr, en, or null for all languages.';

comment on table public.prompts is
$$Prompts of template versions, by role. Their bytes are objects in bucket template-artifacts.

A version has one prompt of a role for all languages, or one in each of its languages. Origin
001.$$;
comment on column public.prompts.role is 'The speaker of the prompt: system, manager or user.';
comment on column public.prompts.storage_path is 'The object''s key in the bucket.';
comment on column public.prompts.sha256 is 'SHA-256 of the bytes, in lowercase hex.';
comment on column public.prompts.locale is 'fr, en, or null for all languages.';

comment on table app.template_channels is
  'Names that operators give to versions, and the percentage of callers that each version of a '
  'channel gets. The default version gets the rest of 100 percent. Channel "default" serves '
  'callers that ask for no version.';
comment on column app.template_channels.weight is 'Percent of the callers, from 1 to 100.';
comment on column app.template_channels.version_status is
  'Always stable. A foreign key uses it to keep versions of channels stable.';

comment on table app.template_uses is
  'The version of a template that a job used last. Deleted with the job''s run.';

comment on type app.template_file is
  'A file of a template version, parsed and checked: an artifact has a kind, a prompt has a role.';

comment on table app.template_uploads is
  'Objects in bucket template-artifacts that belong to no version, which the worker deletes after '
  'an hour. An upload announces its objects here before it writes them, so that the sweep finds '
  'the objects of a killed upload. Objects that a draft had are also here.';
comment on column app.template_uploads.storage_path is 'The object''s key in the bucket.';
comment on column app.template_uploads.upload_id is 'The upload that announced the object last.';
comment on column app.template_uploads.sha256 is
  'SHA-256 of the bytes that the upload writes, in lowercase hex.';
comment on column app.template_uploads.started_at is
  'When the upload announced or last renewed the object. It expires an hour later.';
comment on column app.template_uploads.claimed_at is
  'When a worker claimed the object or confirmed its claim; null if no worker has claimed it.';
comment on column app.template_uploads.claim_id is
  'The claim. claim_id changes when another worker claims the object, so a worker that was paused '
  'notices this.';
comment on column app.template_uploads.kind is 'The kind of the file, if it is an artifact.';
comment on column app.template_uploads.role is 'The role of the file, if it is a prompt.';
comment on column app.template_uploads.locale is 'fr, en, or null for all languages.';
comment on column app.template_uploads.size_bytes is 'The size of an artifact.';
comment on column app.template_uploads.content_type is 'The content type of an artifact.';
comment on column app.template_uploads.file_count is
  'The number of files of the upload. If fewer rows are left, the upload cannot be published. '
  'Null for objects that no upload can publish: objects of a draft, of an expired upload or of an '
  'earlier release.';
