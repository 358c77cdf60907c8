-- Objects of a draft whose rows are deleted by hand.
begin;
select plan(1);

insert into public.templates (name) values ('demo');
insert into public.template_versions (template_id, semver)
select t.id, '1.2.0'
from public.templates as t
where t.name = 'demo';
insert into public.artifacts (
  template_version_id, kind, storage_path, sha256, size_bytes, content_type
)
select v.id, 'main', 'demo/v1.2.0/main.md', repeat('d', 64), 10, 'text/markdown'
from public.template_versions as v where v.semver = '1.2.0';
insert into public.prompts (template_version_id, role, storage_path, sha256)
select v.id, 'user', 'demo/v1.2.0/user.md', repeat('e', 64)
from public.template_versions as v where v.semver = '1.2.0';

delete from public.artifacts where storage_path like 'demo/v1.2.0/%';
delete from public.prompts where storage_path like 'demo/v1.2.0/%';
delete from public.template_versions where semver = '1.2.0';
select results_eq(
  $$ select storage_path, sha256 from app.template_uploads order by 1 $$,
  $$ values ('demo/v1.2.0/main.md', repeat('d', 64)), ('demo/v1.2.0/user.md', repeat('e', 64)) $$,
  'leaves the objects of a deleted draft to the sweep'
);

select * from finish();
rollback;
