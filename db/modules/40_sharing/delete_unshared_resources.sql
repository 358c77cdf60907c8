-- app.delete_unshared_resources
--
-- Called by   schedule delete-unshared-resources
-- Why         who inserts and never shares, by accident or on purpose, leaves nothing behind
create or replace function app.delete_unshared_resources()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_deleted integer;
begin
  with unshared as (
    select f.id
    from public.flows as f
    where f.sealed_at is null and f.created_at <= app.now() - interval '1 hour'
    order by f.created_at
    limit 1000
    for update skip locked
  )
  delete from public.flows as f
  using unshared
  where f.id = unshared.id;
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_unshared_resources() is
  'Deletes what was inserted an hour ago and never shared; 1,000 at a time.';

revoke execute on function app.delete_unshared_resources() from public;
