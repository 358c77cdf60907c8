-- A default makes owner_id optional in the generated types: users may not send it.
set local lock_timeout = '5s';

alter table public.dramas alter column owner_id set default auth.uid();
