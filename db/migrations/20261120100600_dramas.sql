-- Dramas: one nested document of characters, episodes and scenes, which people write and runs of AI jobs fill.
set local lock_timeout = '5s';

alter table app.settings
  add column drama_writes_per_minute integer not null default 240
    constraint settings_drama_writes_per_minute_is_positive check (drama_writes_per_minute > 0),
  add column dramas_per_day integer not null default 50
    constraint settings_dramas_per_day_is_positive check (dramas_per_day > 0),
  add column drama_assets_per_day integer not null default 500
    constraint settings_drama_assets_per_day_is_positive check (drama_assets_per_day > 0);
comment on column app.settings.drama_writes_per_minute is
  'Saved dramas per minute and user. One counts one, and one more per 64 KiB.';
comment on column app.settings.dramas_per_day is 'Generated dramas per day and user.';
comment on column app.settings.drama_assets_per_day is 'Images and videos per day and user that regenerate_asset makes anew.';

create table public.ai_models (
  name text primary key,
  kind text not null,
  description text not null default '',
  is_enabled boolean not null default true,
  is_default boolean not null default false,
  constraint ai_models_name_is_plain check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
  constraint ai_models_kind_is_known check (kind in ('text', 'image', 'video'))
);
create unique index ai_models_default_idx on public.ai_models (kind) where is_default;
alter table public.ai_models enable row level security;
comment on table public.ai_models is 'The AI models that can be asked for.';
comment on column public.ai_models.kind is 'What it makes: text, image or video.';
comment on column public.ai_models.is_enabled is 'False: new dramas cannot ask for it; what runs goes on.';
comment on column public.ai_models.is_default is 'Whether it is taken where none is named; one of each kind.';

-- Texts are never null, URLs are null where there is none. Every limit here stands in docs/drama.schema.json too.
create table public.dramas (
  id uuid primary key default gen_random_uuid(),
  -- No foreign key: a transaction that updates a drama twice would ask for its owner again, while it holds the run and the
  -- drama that the deletion of this owner waits for. Who makes a drama holds the owner first; a trigger deletes it with them.
  owner_id uuid not null,
  external_id text,
  title text not null default '',
  premise text not null default '',
  logline text not null default '',
  genre text not null default '',
  language text not null default '',
  style text not null default '',
  model text not null default '',
  cover_url text,
  options jsonb not null default '{}',
  extra json not null default '{}',
  run_id bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint dramas_id_and_owner_are_unique unique (id, owner_id),
  constraint dramas_external_id_is_short check (octet_length(external_id) between 1 and 200),
  constraint dramas_title_is_short check (char_length(title) <= 500),
  constraint dramas_premise_is_short check (char_length(premise) <= 10000),
  constraint dramas_logline_is_short check (char_length(logline) <= 2000),
  constraint dramas_genre_is_short check (char_length(genre) <= 200),
  constraint dramas_language_is_short check (char_length(language) <= 100),
  constraint dramas_style_is_short check (char_length(style) <= 2000),
  constraint dramas_model_is_short check (char_length(model) <= 100),
  constraint dramas_cover_url_is_http check (cover_url ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$' and octet_length(cover_url) <= 2000),
  constraint dramas_options_is_small check (jsonb_typeof(options) = 'object' and octet_length(options::text) <= 16384),
  constraint dramas_extra_fits check (json_typeof(extra) = 'object' and octet_length(extra::text) <= 262144),
  constraint dramas_has_no_nul check (
    case when strpos(extra::text, '\u0000') = 0 then true else extra::text !~ '(^|[^\\])(\\\\)*\\u0000' end
  )
);
create index dramas_owner_id_idx on public.dramas (owner_id, created_at desc, id desc);
create unique index dramas_external_id_idx on public.dramas (owner_id, external_id) where external_id is not null;
alter table public.dramas enable row level security;
comment on table public.dramas is
  'Dramas. Insert { premise, model } to have one generated; get_drama_complete and save_drama_complete read and write one with all '
  'that is below it.';
comment on column public.dramas.external_id is 'What it was called where it was imported from; unique per owner.';
comment on column public.dramas.options is 'What generate_drama was asked for, with the defaults filled in.';
comment on column public.dramas.extra is 'What a client keeps here for itself: an object of any form.';
comment on column public.dramas.run_id is
  'The job that generates it: its status is in jobs, its steps in job_tree. Gone 30 days after its end.';
comment on column public.dramas.updated_at is 'Rises with every change of the drama or of anything below it.';

create table public.drama_characters (
  id uuid primary key default gen_random_uuid(),
  drama_id uuid not null,
  owner_id uuid not null,
  position integer not null,
  name text not null default '',
  role text not null default '',
  description text not null default '',
  appearance text not null default '',
  portrait_url text,
  portrait_job_id bigint,
  extra json not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint drama_characters_drama_id_fkey foreign key (drama_id, owner_id)
    references public.dramas (id, owner_id) on delete cascade,
  -- Deferred: a new order goes through moments in which two have the same place.
  constraint drama_characters_position_is_unique unique (drama_id, position) deferrable initially deferred,
  constraint drama_characters_position_is_positive check (position > 0),
  constraint drama_characters_name_is_short check (char_length(name) <= 500),
  constraint drama_characters_role_is_short check (char_length(role) <= 500),
  constraint drama_characters_description_is_short check (char_length(description) <= 10000),
  constraint drama_characters_appearance_is_short check (char_length(appearance) <= 10000),
  constraint drama_characters_portrait_url_is_http
    check (portrait_url ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$' and octet_length(portrait_url) <= 2000),
  constraint drama_characters_extra_fits check (json_typeof(extra) = 'object' and octet_length(extra::text) <= 262144),
  constraint drama_characters_has_no_nul check (
    case when strpos(extra::text, '\u0000') = 0 then true else extra::text !~ '(^|[^\\])(\\\\)*\\u0000' end
  )
);
create index drama_characters_drama_id_idx on public.drama_characters (drama_id, owner_id);
alter table public.drama_characters enable row level security;
comment on table public.drama_characters is 'The characters of a drama. (characters are those of sharing.)';
comment on column public.drama_characters.position is 'Their order; it may have gaps.';
comment on column public.drama_characters.portrait_job_id is 'The job that makes the portrait, or made it last: only its result is taken.';

create table public.episodes (
  id uuid primary key default gen_random_uuid(),
  drama_id uuid not null,
  owner_id uuid not null,
  position integer not null,
  title text not null default '',
  summary text not null default '',
  script text not null default '',
  extra json not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint episodes_drama_id_fkey foreign key (drama_id, owner_id)
    references public.dramas (id, owner_id) on delete cascade,
  constraint episodes_id_drama_and_owner_are_unique unique (id, drama_id, owner_id),
  constraint episodes_position_is_unique unique (drama_id, position) deferrable initially deferred,
  constraint episodes_position_is_positive check (position > 0),
  constraint episodes_title_is_short check (char_length(title) <= 500),
  constraint episodes_summary_is_short check (char_length(summary) <= 10000),
  constraint episodes_script_is_short check (char_length(script) <= 100000),
  constraint episodes_extra_fits check (json_typeof(extra) = 'object' and octet_length(extra::text) <= 262144),
  constraint episodes_has_no_nul check (
    case when strpos(extra::text, '\u0000') = 0 then true else extra::text !~ '(^|[^\\])(\\\\)*\\u0000' end
  )
);
create index episodes_drama_id_idx on public.episodes (drama_id, owner_id);
alter table public.episodes enable row level security;
comment on table public.episodes is 'The episodes of a drama.';
comment on column public.episodes.position is 'Their order; it may have gaps.';

create table public.scenes (
  id uuid primary key default gen_random_uuid(),
  drama_id uuid not null,
  episode_id uuid not null,
  owner_id uuid not null,
  position integer not null,
  title text not null default '',
  summary text not null default '',
  text text not null default '',
  image_prompt text not null default '',
  video_prompt text not null default '',
  character_ids uuid[] not null default '{}',
  image_url text,
  image_job_id bigint,
  video_url text,
  video_job_id bigint,
  audio_url text,
  extra json not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint scenes_episode_id_fkey foreign key (episode_id, drama_id, owner_id)
    references public.episodes (id, drama_id, owner_id) on delete cascade,
  constraint scenes_position_is_unique unique (episode_id, position) deferrable initially deferred,
  constraint scenes_position_is_positive check (position > 0),
  constraint scenes_title_is_short check (char_length(title) <= 500),
  constraint scenes_summary_is_short check (char_length(summary) <= 10000),
  constraint scenes_text_is_short check (char_length(text) <= 100000),
  constraint scenes_image_prompt_is_short check (char_length(image_prompt) <= 10000),
  constraint scenes_video_prompt_is_short check (char_length(video_prompt) <= 10000),
  constraint scenes_character_ids_are_few check (cardinality(character_ids) <= 200),
  constraint scenes_image_url_is_http check (image_url ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$' and octet_length(image_url) <= 2000),
  constraint scenes_video_url_is_http check (video_url ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$' and octet_length(video_url) <= 2000),
  constraint scenes_audio_url_is_http check (audio_url ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$' and octet_length(audio_url) <= 2000),
  constraint scenes_extra_fits check (json_typeof(extra) = 'object' and octet_length(extra::text) <= 262144),
  constraint scenes_has_no_nul check (
    case when strpos(extra::text, '\u0000') = 0 then true else extra::text !~ '(^|[^\\])(\\\\)*\\u0000' end
  )
);
create index scenes_drama_id_idx on public.scenes (drama_id, episode_id, owner_id);
alter table public.scenes enable row level security;
comment on table public.scenes is 'The scenes of an episode.';
comment on column public.scenes.position is 'Their order in the episode; it may have gaps.';
comment on column public.scenes.image_prompt is 'What its image shows.';
comment on column public.scenes.video_prompt is 'What moves in its video.';
comment on column public.scenes.image_url is 'Its image; null until there is one.';
comment on column public.scenes.video_url is 'Its video; null until there is one.';
comment on column public.scenes.audio_url is 'Its sound, where a client has put one.';
comment on column public.scenes.text is 'What is said and done.';
comment on column public.scenes.character_ids is 'Who is in it, of the drama''s characters.';
comment on column public.scenes.image_job_id is 'The job that makes the image, or made it last: only its result is taken.';
comment on column public.scenes.video_job_id is 'The job that makes the video, or made it last: only its result is taken.';

create table app.drama_runs (
  run_id bigint primary key references app.runs (id) on delete cascade,
  drama_id uuid not null references public.dramas (id) on delete cascade
);
create index drama_runs_drama_id_idx on app.drama_runs (drama_id);
alter table app.drama_runs enable row level security;
comment on table app.drama_runs is
  'Which drama a run may write to. What a worker sends names no drama: it could name anybody''s.';

create table app.drama_packages (
  drama_id uuid primary key references public.dramas (id) on delete cascade,
  updated_at timestamptz not null,
  package json not null
);
alter table app.drama_packages alter column package set storage external;
alter table app.drama_packages enable row level security;
comment on table app.drama_packages is
  'What get_drama_complete returns, built once. True as long as updated_at is that of the drama; else the rows are read.';

alter publication supabase_realtime add table public.dramas (
  id, owner_id, title, premise, cover_url, model, run_id, created_at, updated_at
);
alter publication supabase_realtime add table public.episodes (
  id, drama_id, owner_id, position, title, summary, created_at, updated_at
);
alter publication supabase_realtime add table public.scenes (
  id, drama_id, episode_id, owner_id, position, title, summary, text, image_url, image_job_id, video_url, video_job_id,
  audio_url, created_at, updated_at
);

-- A convenience where the platform has it: { dramasCollection { edges { node { id title } } } }.
do $$
begin
  if exists (select from pg_catalog.pg_available_extensions where name = 'pg_graphql') then
    create extension if not exists pg_graphql;
  end if;
exception
  when insufficient_privilege or feature_not_supported then
    raise notice 'pg_graphql is here, and this role may not create it: %', sqlerrm;
end
$$;
