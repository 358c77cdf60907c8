-- The plain insert that submitting a task is compared with: a table under RLS with the columns that
-- a mandate needs, and the index that lists it.
create table public.bench_notes (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  mandate text not null check (char_length(mandate) between 1 and 20000),
  status text not null default 'accepted',
  created_at timestamptz not null default now()
);
create index bench_notes_user_created_idx
  on public.bench_notes (user_id, created_at desc, id desc);
alter table public.bench_notes enable row level security;
create policy select_own on public.bench_notes
  for select
  to authenticated
  using (user_id = (select auth.uid()));
create policy insert_own on public.bench_notes
  for insert
  to authenticated
  with check (user_id = (select auth.uid()));
grant select, insert on public.bench_notes to authenticated;
