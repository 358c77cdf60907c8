-- A client that inserts a flow, a card or a session sends the id, because the request is then safe
-- to repeat. Without a default, trigger _020_name_row sees that the id is missing. Functions of
-- Plinth make the ids of their rows themselves.
set local lock_timeout = '5s';

alter table public.flows alter column id drop default;
alter table public.characters alter column id drop default;
alter table public.scenarios alter column id drop default;
alter table public.sessions alter column id drop default;
