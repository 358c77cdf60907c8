-- Plinth Supabase shim: publication supabase_realtime; on Supabase, Supabase Realtime reads it.
--
-- Run whole, in one transaction, by the superuser `supabase_admin`, after roles.sql, again at each
-- start. Nothing reads the publication here: clients poll.

-- Below warning: with wal_level below logical, Postgres warns that nothing could be published.
set local client_min_messages = error;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;

do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
    alter publication supabase_realtime owner to postgres;
  end if;
end
$$;

comment on publication supabase_realtime is 'Plinth Supabase shim';
