-- An upload keeps the columns of its files, so that publishing it reads rows and parses no JSON.
set local lock_timeout = '5s';

create type app.template_file as (
  kind text,
  role text,
  locale text,
  storage_path text,
  sha256 text,
  size_bytes integer,
  content_type text
);

-- Rows without file_count are not published from here: objects that a draft left, and uploads that began before this
-- migration. The command that began such an upload still publishes it with publish_template_version, which has the JSON.
alter table app.template_uploads
  add column kind text,
  add column role text,
  add column locale text,
  add column size_bytes integer,
  add column content_type text,
  add column file_count integer;

-- Replaced by app.parse_template_files, app.lock_template_upload and a lock_template_folder that takes files.
drop function if exists app.read_template_files(text, jsonb, jsonb);
drop function if exists app.require_template_upload(text, jsonb, jsonb, uuid);
drop function if exists app.lock_template_folder(jsonb);

-- Renamed, not dropped: the triggers keep protecting published versions until their module files are applied again.
do $$
begin
  if to_regprocedure('app.tg_templates__protect()') is not null then
    alter function app.tg_templates__protect() rename to tg_templates__protect_name;
  end if;
  if to_regprocedure('app.tg_template_versions__protect()') is not null then
    alter function app.tg_template_versions__protect() rename to tg_template_versions__protect_version;
  end if;
end
$$;
