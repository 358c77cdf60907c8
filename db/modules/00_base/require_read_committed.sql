-- app.require_read_committed
--
-- Errors      PT500 isolation_unsupported
-- Why         Under any other isolation level the statement after a lock does not see what the lock
--             waited for.
create or replace function app.require_read_committed()
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform app.fail(
      500,
      'isolation_unsupported',
      'This function runs only in read committed transactions.',
      'Begin the transaction without an isolation level.'
    );
  end if;
end
$$;

comment on function app.require_read_committed() is
  'Refuses transactions whose statements would not see what other sessions have committed.';
