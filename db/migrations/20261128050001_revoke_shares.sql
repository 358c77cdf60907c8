-- A client can revoke its share: with a token that it made, or as the user who shared.
set local lock_timeout = '5s';

-- Both are null for shares that exist, so checking the key takes a moment.
alter table app.share_packages
  add column revoke_hash bytea,
  -- squawk-ignore adding-foreign-key-constraint
  add column owner_id uuid references public.users (id) on delete set null;
-- The table has the shares of one hour or two, so building the index takes a moment.
-- squawk-ignore require-concurrent-index-creation
create index share_packages_owner_id_idx on app.share_packages (owner_id) where owner_id is not null;

create type public.own_share as (
  share_id uuid,
  url text,
  resource_type text,
  visibility text,
  created_at timestamptz,
  expires_at timestamptz
);
