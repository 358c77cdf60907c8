-- app.count_anonymous_bytes
--
-- Writes      anonymous_bytes: one row
-- Locks       that row until commit, and never waits: it skips rows that others have locked
-- Why         One row for all callers would make their commits wait for each other. So each period
--             of ten minutes has as many rows as transactions have written at the same moment.
--             Bytes count for an hour, also if their share expires sooner or is deleted: the rows
--             are on the disk until the hourly cleanup, and nothing has to be subtracted, so no
--             crash and no manual delete can leave a wrong sum for longer.
create or replace function app.count_anonymous_bytes(bytes bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_expires_at timestamptz := date_bin('10 minutes', app.now() + interval '70 minutes', 'epoch');
  v_id bigint;
begin
  if auth.role() = 'service_role' then
    return;
  end if;

  select b.id into v_id
  from app.anonymous_bytes as b
  where b.expires_at = v_expires_at
  limit 1
  for no key update skip locked;

  if not found then
    insert into app.anonymous_bytes (expires_at, bytes)
    values (v_expires_at, count_anonymous_bytes.bytes);
    return;
  end if;

  update app.anonymous_bytes as b
  set bytes = b.bytes + count_anonymous_bytes.bytes
  where b.id = v_id;
end
$$;

comment on function app.count_anonymous_bytes(bigint) is
$$Counts stored bytes into the sum of all callers, for an hour.

The bytes of service_role do not count.$$;
