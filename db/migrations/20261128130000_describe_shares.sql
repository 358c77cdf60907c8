-- Link previews and a gallery show the title and the icon of a share without reading its package.
set local lock_timeout = '5s';

-- Both are null for shares that exist.
alter table app.share_packages add column title text, add column icon_url text;

-- The table has the shares of one hour or two, so building the index takes a moment.
-- squawk-ignore require-concurrent-index-creation
create index shared_resources_newest_public_idx on public.shared_resources (created_at, id)
  where visibility = 'public';

create type public.share_description as (
  share_id uuid,
  type text,
  kind text,
  title text,
  icon_url text,
  url text,
  created_at timestamptz,
  expires_at timestamptz
);
