-- app.share_link, app.find_share
--
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

create or replace function app.find_share(share_id uuid, resource_type text, visibility text, request_hash bigint)
  returns public.share_link
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_link public.share_link := app.share_link(find_share.share_id);
begin
  if v_link.share_id is null then
    return null;
  end if;

  if not exists (
    select
    from public.shared_resources as s
    join app.share_packages as p on p.share_id = s.id
    where s.id = find_share.share_id
      and s.resource_type = find_share.resource_type
      and s.visibility = find_share.visibility
      and p.request_hash = find_share.request_hash
  ) then
    perform app.fail(409, 'share_id_taken', 'This share_id belongs to another share.', 'Make a new share_id.');
  end if;

  return v_link;
end
$$;

comment on function app.find_share(uuid, text, text, bigint) is
  'The link of the live share that this request has made before; null where the id is free, else 409.';
