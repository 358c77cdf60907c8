-- app.try_request_slot
--
-- Locks       the advisory lock of the slot, until the request ends
-- Why         advisory locks count for all servers of PostgREST together, end with their
--             transaction, and work in read-only transactions and on standbys
create or replace function app.try_request_slot(key text, slot integer)
  returns boolean
  language sql
  volatile
return pg_try_advisory_xact_lock(hashtextextended('request of ' || key, slot));

comment on function app.try_request_slot(text, integer) is
  'Holds a slot of the key until the request ends; returns whether the slot was free.';
