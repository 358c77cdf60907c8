-- app.describe_share, public.describe_share
--
-- Called by   clients, by GET or POST
-- Errors      PT404 share_not_found
-- Why         reads no package: title and icon have columns of their own
create or replace function app.describe_share(share_id uuid)
  returns public.share_description
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_share public.share_description;
begin
  select d.* into v_share
  from app.list_share_descriptions(array[describe_share.share_id]) as d;

  if not found then
    perform app.fail(
      404, 'share_not_found', 'Share not found, or expired.', 'Ask for a new link.'
    );
  end if;

  return v_share;
end
$$;

comment on function app.describe_share(uuid) is
  'Describes a live share; see public.describe_share.';

create or replace function public.describe_share(share_id uuid)
  returns public.share_description
  language sql
  stable
  set search_path = ''
return app.describe_share(share_id);

comment on function public.describe_share(uuid) is
$$Describes a share for a link preview, without its content.

Returns { share_id, type (flow, card or session), kind (of a card: character or scenario, otherwise
null), title (at most 300 characters, or null), icon_url (or null), url, created_at, expires_at }.
title is the name of a flow, the title of a session, the title of a card or its name. icon_url is
the icon of a card; of a session it is the cover, the first icon of a card, or the background.
404 share_not_found: the share is unknown or expired.$$;

grant execute on function app.describe_share(uuid) to anon, authenticated, service_role;
grant execute on function public.describe_share(uuid) to anon, authenticated, service_role;
