-- app.free_share_id
--
-- Writes      deletes the share with this id, if it has expired
-- Why         for clients an expired share is gone, so its id is free before the schedule has
--             deleted the share
create or replace function app.free_share_id(share_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  -- A delete fires its triggers even when it deletes no row, and there hardly ever is one.
  if exists (select from public.shared_resources as s where s.id = free_share_id.share_id) then
    delete from public.shared_resources as s
    where s.id = free_share_id.share_id and s.expires_at <= app.now();
  end if;
end
$$;

comment on function app.free_share_id(uuid) is
  'Deletes the share with this id if it has expired, so that the id can be used again.';
