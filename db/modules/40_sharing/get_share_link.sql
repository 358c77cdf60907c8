-- app.get_share_link
create or replace function app.get_share_link(share_id uuid)
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
  where s.id = get_share_link.share_id and s.expires_at > app.now();

  return v_link;
end
$$;

comment on function app.get_share_link(uuid) is 'Returns the link of a live share, or nulls.';
