-- A client that may not write a table learns which function changes it, where Postgres would only
-- say "permission denied".
set local lock_timeout = '5s';

create table app.table_hints (
  table_name text primary key,
  hint text not null,
  constraint table_hints_hint_is_sentence check (hint ~ '^\S.*\.$')
);
alter table app.table_hints enable row level security;
