-- app.tg_shared_resources__delete_resources
--
-- Writes      deletes the shared resources; their nodes and icons follow by foreign key
-- Why         resource_id refers to the table that resource_type names, so that no foreign key can
--             delete the resource
create or replace function app.tg_shared_resources__delete_resources()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  delete from public.flows as f
  using old_shares
  where old_shares.resource_type = 'flow' and f.id = old_shares.resource_id;

  delete from public.characters as c
  using old_shares
  where old_shares.resource_type = 'card_character' and c.id = old_shares.resource_id;

  delete from public.scenarios as s
  using old_shares
  where old_shares.resource_type = 'card_scenario' and s.id = old_shares.resource_id;

  delete from public.sessions as s
  using old_shares
  where old_shares.resource_type = 'session' and s.id = old_shares.resource_id;

  return null;
end
$$;

comment on function app.tg_shared_resources__delete_resources() is
  'Deletes the resources of deleted shares.';
