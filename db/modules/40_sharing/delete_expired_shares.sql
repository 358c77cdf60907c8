-- app.delete_expired_shares
--
-- Called by   schedule delete-expired-shares
create or replace function app.delete_expired_shares()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_deleted integer;
begin
  with expired as (
    select s.id
    from public.shared_resources as s
    where s.expires_at <= app.now()
    order by s.expires_at
    limit 1000
    for update skip locked
  )
  delete from public.shared_resources as s
  using expired
  where s.id = expired.id;
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_expired_shares() is 'Deletes expired shares with their resources; 1,000 at a time.';

revoke execute on function app.delete_expired_shares() from public;
