-- app.list_share_descriptions
create or replace function app.list_share_descriptions(share_ids uuid[])
  returns setof public.share_description
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return query
  select
    s.id,
    split_part(s.resource_type, '_', 1),
    nullif(split_part(s.resource_type, '_', 2), ''),
    p.title,
    p.icon_url,
    (app.get_share_link(s.id)).url,
    s.created_at,
    s.expires_at
  from public.shared_resources as s
  join app.share_packages as p on p.share_id = s.id
  where s.id = any (list_share_descriptions.share_ids) and s.expires_at > app.now()
  order by s.created_at desc, s.id desc;
end
$$;

comment on function app.list_share_descriptions(uuid[]) is
  'Describes the live shares of a list of ids, newest first, without reading their packages.';
