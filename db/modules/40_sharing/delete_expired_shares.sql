-- app.delete_expired_shares
--
-- Called by   schedule delete-expired-shares
-- Writes      deletes from shared_resources; a trigger deletes the resources. Deletes the
--             rows of anonymous_bytes that no longer count
-- Locks       shares, then flows, skipping those that another transaction has locked, such as a
--             flow that a client adds nodes to
create or replace function app.delete_expired_shares()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids uuid[];
  v_flow_ids uuid[];
  v_deleted integer;
begin
  delete from app.anonymous_bytes as b
  where b.expires_at <= app.now();

  v_ids := array(
    select s.id
    from public.shared_resources as s
    where s.expires_at <= app.now()
    order by s.expires_at
    limit 1000
    for update skip locked
  );
  v_flow_ids := array(
    select f.id
    from public.flows as f
    where f.id in (
      select s.resource_id
      from public.shared_resources as s
      where s.id = any (v_ids) and s.resource_type = 'flow'
    )
    for update skip locked
  );

  delete from public.shared_resources as s
  where s.id = any (v_ids)
    and (
      s.resource_type <> 'flow'
      or s.resource_id = any (v_flow_ids)
      -- An unlisted flow of share_flow has no row.
      or not exists (select from public.flows as f where f.id = s.resource_id)
    );
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_expired_shares() is
$$Deletes expired shares with their resources.

Deletes at most 1,000 shares per call. Returns their number; 0 means that none are left.$$;
