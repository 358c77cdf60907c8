-- app.require_read_committed
--
-- Errors      PT500 isolation_unsupported
-- Why         under any other isolation the next statement does not see what the lock waited for
create or replace function app.require_read_committed()
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform app.fail(
      500, 'isolation_unsupported', 'This runs in read committed transactions only.', 'Begin without an isolation level.'
    );
  end if;
end
$$;

comment on function app.require_read_committed() is 'Refuses to go on where a statement would not see what others have committed.';
