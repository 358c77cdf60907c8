-- app.find_live_flow
--
-- Why         only while the flow's own share is alive: otherwise anyone who knows an id could
--             revive an expired flow
create or replace function app.find_live_flow(flow_id text)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if not coalesce(app.is_uuid(find_live_flow.flow_id), false) then
    return null;
  end if;

  return (
    select p.package
    from public.shared_resources as s
    join app.share_packages as p on p.share_id = s.id
    where s.resource_type = 'flow'
      and s.resource_id = find_live_flow.flow_id::uuid
      and s.expires_at > app.now()
  );
end
$$;

comment on function app.find_live_flow(text) is
$$Returns the package of a flow whose share is alive, or null.

flow_id: an id of table flows; any other text finds nothing.$$;
