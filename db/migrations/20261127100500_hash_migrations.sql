-- A migration that was edited after it ran left databases that nobody could tell apart: their hashes are stored.
set local lock_timeout = '5s';

alter table app.migrations
  add column hash text constraint migrations_hash_is_sha256 check (hash ~ '^[0-9a-f]{64}$');
-- npm run db:migrate names the hash of the file that it runs; node-pg-migrate inserts the row in the same transaction.
alter table app.migrations
  alter column hash set default nullif(current_setting('plinth.migration_hash', true), '');
