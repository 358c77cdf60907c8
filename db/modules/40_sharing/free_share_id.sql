-- app.free_share_id
--
-- Writes      deletes the share with this id, if it has expired
-- Why         gone at once means that its id is free, too
create or replace function app.free_share_id(share_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  -- A delete fires its triggers, also when there is nothing to delete; there hardly ever is.
  if exists (select from public.shared_resources as s where s.id = free_share_id.share_id) then
    delete from public.shared_resources as s
    where s.id = free_share_id.share_id and s.expires_at <= app.now();
  end if;
end
$$;

comment on function app.free_share_id(uuid) is 'Deletes an expired share before the cleanup does, so that its id can be used.';
