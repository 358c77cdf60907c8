-- app.list_shares, public.list_shares
--
-- Called by   clients, by GET or POST
-- Errors      PT401 not_signed_in
create or replace function app.list_shares()
  returns setof public.own_share
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_user();
begin
  return query
  select
    s.id,
    (app.get_share_link(s.id)).url,
    s.resource_type,
    s.visibility,
    s.created_at,
    s.expires_at
  from app.share_packages as p
  join public.shared_resources as s on s.id = p.share_id
  where p.owner_id = v_owner_id and s.expires_at > app.now()
  order by s.created_at desc, s.id
  limit 1000;
end
$$;

comment on function app.list_shares() is
  'Returns the live shares of the signed-in user; see public.list_shares.';

create or replace function public.list_shares()
  returns setof public.own_share
  language sql
  stable
  set search_path = ''
begin atomic
  select * from app.list_shares();
end;

comment on function public.list_shares() is
$$Lists the live shares of the signed-in user, unlisted shares included.

Returns the latest 1,000 shares, newest first: { share_id, url, resource_type, visibility,
created_at, expires_at }.
401 not_signed_in.$$;

grant execute on function app.list_shares() to anon, authenticated;
grant execute on function public.list_shares() to anon, authenticated;
