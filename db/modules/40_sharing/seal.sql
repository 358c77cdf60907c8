-- app.tg_shared_resources__seal
--
-- Called by   trigger _100_seal on shared_resources
-- Writes      the resource's sealed_at; deletes an expired share that has the same id
-- Errors      PT409 resource_sealed, PT413 package_too_large, PT422 resource_not_found, too_many_nodes
-- Locks       the resource
create or replace function app.tg_shared_resources__seal()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_latest timestamptz := v_now + interval '1 hour';
begin
  -- The server's clock decides; a client whose clock is behind still gets its hour.
  if new.expires_at is null or new.expires_at <= v_now or new.expires_at > v_latest then
    new.expires_at := v_latest;
  end if;

  -- Gone at once means that its id is free, too.
  delete from public.shared_resources as s
  where s.id = new.id and s.expires_at <= v_now;

  if new.resource_type = 'flow' then
    perform app.seal_flow(new.resource_id);
    -- A later statement than the one that waited for the lock: it sees every node that got in before.
    new.package := coalesce(new.package, app.build_flow_package(new.resource_id));
  elsif new.resource_type in ('card_character', 'card_scenario', 'session') then
    perform app.fail(422, 'resource_not_found', 'There is no such resource to share.', 'Insert the resource first.');
  else
    -- The check constraint refuses the type; it has to be reached.
    new.package := coalesce(new.package, 'null');
  end if;

  return new;
end
$$;

comment on function app.tg_shared_resources__seal() is
  'Seals what is shared, builds its package, and lets the server''s clock decide when it expires.';

revoke execute on function app.tg_shared_resources__seal() from public;
