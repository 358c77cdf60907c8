-- app.get_shared_resource, public.get_shared_resource
--
-- Called by   clients, by GET or POST
-- Errors      PT404 share_not_found
-- Why         volatile, because it sets a header: PostgREST does not run a stable function for
--             HEAD, whose answer would always be 200. The function sets Vary, because PostgREST 16
--             otherwise sets Vary with headers that differ between clients, and a CDN then keeps
--             one copy of the share per client. The package is the same for every client
create or replace function app.get_shared_resource(share_id uuid)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_share record;
begin
  select p.package, s.expires_at into v_share
  from public.shared_resources as s
  join app.share_packages as p on p.share_id = s.id
  where s.id = get_shared_resource.share_id and s.expires_at > v_now;

  if not found then
    perform app.fail(
      404, 'share_not_found', 'Share not found, or expired.', 'Ask for a new link.'
    );
  end if;

  perform set_config(
    'response.headers',
    format(
      '[{"Cache-Control": "public, max-age=%s"}, {"Vary": "Accept-Encoding"}, '
      '{"Content-Type": "application/json; charset=utf-8"}]',
      floor(extract(epoch from v_share.expires_at - v_now))
    ),
    true
  );

  return v_share.package;
end
$$;

comment on function app.get_shared_resource(uuid) is
  'Returns the package of a live share; see public.get_shared_resource.';

create or replace function public.get_shared_resource(share_id uuid)
  returns public."*/*"
  language sql
  volatile
  set search_path = ''
return app.get_shared_resource(share_id);

comment on function public.get_shared_resource(uuid) is
$$Opens a share.

Returns the shared package. A flow is { name, description, nodes, edges, responseTemplate, agents,
dataStoreNodes, ifNodes }; the last three are objects with the nodes by id. A card is Character Card
V2. A session has the fields of table sessions, icon_url in each card, background_url, cover_url and
flow. The header Cache-Control says for how many more seconds the share is alive.
404 share_not_found: the share is unknown or expired. Origin 000, section 3.$$;

grant execute on function app.get_shared_resource(uuid) to anon, authenticated, service_role;
grant execute on function public.get_shared_resource(uuid) to anon, authenticated, service_role;
