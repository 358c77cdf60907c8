-- Sharing: cards (characters and scenarios) and sessions.
-- Documents are `json`, as in flows. What a session calls flow_id, user_character_card_id and turn_ids are the client's
-- own ids: no foreign keys.
set local lock_timeout = '5s';

create table public.characters (
  id uuid primary key default gen_random_uuid(),
  title text,
  name text not null,
  description text,
  example_dialogue text,
  lorebook json,
  tags json,
  creator text,
  version text,
  card_summary text,
  conceptual_origin text,
  icon_asset_id uuid references public.assets (id),
  sealed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  size_bytes integer not null generated always as (
    octet_length(name) + coalesce(octet_length(title), 0) + coalesce(octet_length(description), 0)
    + coalesce(octet_length(example_dialogue), 0) + coalesce(octet_length(lorebook::text), 0)
    + coalesce(octet_length(tags::text), 0) + coalesce(octet_length(creator), 0) + coalesce(octet_length(version), 0)
    + coalesce(octet_length(card_summary), 0) + coalesce(octet_length(conceptual_origin), 0)
  ) stored,
  constraint characters_fits check (size_bytes <= 5242880),
  constraint characters_tags_is_array check (json_typeof(tags) = 'array'),
  constraint characters_has_no_nul check (
    case
      when strpos(coalesce(lorebook::text, '') || coalesce(tags::text, ''), '\u0000') = 0 then true
      else coalesce(lorebook::text, '') || coalesce(tags::text, '') !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
create index characters_unsealed_idx on public.characters (created_at) where sealed_at is null;
create index characters_icon_asset_id_idx on public.characters (icon_asset_id);
alter table public.characters enable row level security;
comment on table public.characters is 'Character cards that were written to be shared. Purged after an hour if they never are.';
comment on column public.characters.lorebook is 'A character book, as Character Card V2 has it.';
comment on column public.characters.sealed_at is 'When it was shared. From then on it cannot change.';
comment on column public.characters.size_bytes is 'What it adds to its package, roughly.';

create table public.scenarios (
  id uuid primary key default gen_random_uuid(),
  title text,
  name text not null,
  description text,
  first_messages json,
  lorebook json,
  tags json,
  creator text,
  version text,
  card_summary text,
  conceptual_origin text,
  icon_asset_id uuid references public.assets (id),
  sealed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  size_bytes integer not null generated always as (
    octet_length(name) + coalesce(octet_length(title), 0) + coalesce(octet_length(description), 0)
    + coalesce(octet_length(first_messages::text), 0) + coalesce(octet_length(lorebook::text), 0)
    + coalesce(octet_length(tags::text), 0) + coalesce(octet_length(creator), 0) + coalesce(octet_length(version), 0)
    + coalesce(octet_length(card_summary), 0) + coalesce(octet_length(conceptual_origin), 0)
  ) stored,
  constraint scenarios_fits check (size_bytes <= 5242880),
  constraint scenarios_tags_is_array check (json_typeof(tags) = 'array'),
  constraint scenarios_has_no_nul check (
    case
      when strpos(
        coalesce(first_messages::text, '') || coalesce(lorebook::text, '') || coalesce(tags::text, ''), '\u0000'
      ) = 0 then true
      else
        coalesce(first_messages::text, '') || coalesce(lorebook::text, '') || coalesce(tags::text, '')
          !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
create index scenarios_unsealed_idx on public.scenarios (created_at) where sealed_at is null;
create index scenarios_icon_asset_id_idx on public.scenarios (icon_asset_id);
alter table public.scenarios enable row level security;
comment on table public.scenarios is 'Scenario cards that were written to be shared. Purged after an hour if they never are.';
comment on column public.scenarios.first_messages is 'Ways to begin: strings, or objects with a description.';
comment on column public.scenarios.lorebook is 'A character book, as Character Card V2 has it.';
comment on column public.scenarios.sealed_at is 'When it was shared. From then on it cannot change.';
comment on column public.scenarios.size_bytes is 'What it adds to its package, roughly.';

create table public.sessions (
  id uuid primary key default gen_random_uuid(),
  title text,
  all_cards json not null default '[]',
  user_character_card_id text,
  turn_ids json,
  background_id uuid references public.assets (id),
  cover_id uuid references public.assets (id),
  translation json,
  chat_styles json,
  flow_id text,
  sealed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  size_bytes integer not null generated always as (
    coalesce(octet_length(title), 0) + octet_length(all_cards::text) + coalesce(octet_length(user_character_card_id), 0)
    + coalesce(octet_length(turn_ids::text), 0) + coalesce(octet_length(translation::text), 0)
    + coalesce(octet_length(chat_styles::text), 0) + coalesce(octet_length(flow_id), 0)
  ) stored,
  constraint sessions_fits check (size_bytes <= 5242880),
  constraint sessions_all_cards_is_array check (json_typeof(all_cards) = 'array'),
  constraint sessions_has_no_nul check (
    case
      when strpos(
        all_cards::text || coalesce(turn_ids::text, '') || coalesce(translation::text, '') || coalesce(chat_styles::text, ''),
        '\u0000'
      ) = 0 then true
      else
        all_cards::text || coalesce(turn_ids::text, '') || coalesce(translation::text, '') || coalesce(chat_styles::text, '')
          !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
create index sessions_unsealed_idx on public.sessions (created_at) where sealed_at is null;
create index sessions_background_id_idx on public.sessions (background_id);
create index sessions_cover_id_idx on public.sessions (cover_id);
alter table public.sessions enable row level security;
comment on table public.sessions is 'Sessions that were written to be shared. Purged after an hour if they never are.';
comment on column public.sessions.all_cards is 'The cards in it, as the client has them; icon_asset_id of each is an asset.';
comment on column public.sessions.user_character_card_id is 'The client''s own id.';
comment on column public.sessions.turn_ids is 'The client''s own ids.';
comment on column public.sessions.flow_id is
  'The client''s own id. Where it is the id of a flow whose share is alive, that flow opens with the session.';
comment on column public.sessions.sealed_at is 'When it was shared. From then on it cannot change.';
comment on column public.sessions.size_bytes is 'What it adds to its package, roughly.';

create table app.session_icons (
  session_id uuid not null references public.sessions (id) on delete cascade,
  asset_id uuid not null references public.assets (id),
  primary key (session_id, asset_id)
);
create index session_icons_asset_id_idx on app.session_icons (asset_id);
alter table app.session_icons enable row level security;
comment on table app.session_icons is 'The icons inside all_cards of a session: assets that it shows.';

alter table public.characters set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table public.scenarios set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table public.sessions set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table app.session_icons set (vacuum_truncate = off);
