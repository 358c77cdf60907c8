-- Runs and dramas store a hash of the request that an idempotency key was sent with.
set local lock_timeout = '5s';

alter table app.runs add column request_hash bytea;

alter table public.dramas
  add column idempotency_key text
    constraint dramas_idempotency_key_is_short check (char_length(idempotency_key) between 1 and 180);
-- No row has a key yet: building the index reads the table once and writes nothing.
-- squawk-ignore require-concurrent-index-creation
create unique index dramas_idempotency_key_idx on public.dramas (owner_id, idempotency_key)
  where idempotency_key is not null;

-- A table of its own, because clients may select every column of dramas.
create table app.drama_requests (
  drama_id uuid primary key references public.dramas (id) on delete cascade,
  request_hash bytea not null
);
alter table app.drama_requests enable row level security;

drop function if exists app.start_drama_run(public.dramas, text);
