-- app.share_link, app.find_share
--
-- Called by   app.share_flow
-- Errors      PT409 share_id_taken
create or replace function app.share_link(share_id uuid)
  returns public.share_link
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_link public.share_link;
begin
  select
    s.id,
    format(
      '%s/%s/detail/%s',
      (select settings.share_base_url from app.settings),
      case s.resource_type when 'flow' then 'flows' when 'session' then 'sessions' else 'cards' end,
      s.id
    ),
    s.expires_at
  into v_link
  from public.shared_resources as s
  where s.id = share_link.share_id and s.expires_at > app.now();

  return v_link;
end
$$;

comment on function app.share_link(uuid) is 'The link of a live share, or null.';

create or replace function app.find_share(share_id uuid, package json, visibility text)
  returns public.share_link
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_link public.share_link := app.share_link(find_share.share_id);
  v_shared record;
begin
  if v_link.share_id is null then
    return null;
  end if;

  select s.visibility, p.package into v_shared
  from public.shared_resources as s
  join app.share_packages as p on p.share_id = s.id
  where s.id = find_share.share_id;

  if v_shared.visibility <> find_share.visibility or not app.is_same_json(v_shared.package, find_share.package) then
    perform app.fail(409, 'share_id_taken', 'This share_id belongs to another share.', 'Make a new share_id.');
  end if;

  return v_link;
end
$$;

comment on function app.find_share(uuid, json, text) is
  'The link of the live share that has this id, package and visibility; null where the id is free, else 409.';

revoke execute on function app.share_link(uuid) from public;
revoke execute on function app.find_share(uuid, json, text) from public;
