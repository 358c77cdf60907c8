-- app.find_live_flow
--
-- Why         only while its own share is alive: any known id would else revive a flow that has expired
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

comment on function app.find_live_flow(text) is 'The package of the flow with this id, if it is shared at the moment; else null.';
