-- app.build_package
--
-- Errors      PT413 package_too_large, PT422 card_invalid, session_invalid, PT429 rate_limited
-- Locks       the caller (advisory), for a large package
create or replace function app.build_package(resource_type text, resource_id uuid)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_package json := case build_package.resource_type
    when 'flow' then app.build_flow_package(build_package.resource_id)
    when 'card_character' then app.build_character_package(build_package.resource_id)
    when 'card_scenario' then app.build_scenario_package(build_package.resource_id)
    when 'session' then app.build_session_package(build_package.resource_id)
  end;
  v_bytes integer := octet_length(v_package::text);
begin
  perform app.require_package_size(v_bytes);
  perform app.lock_large_package(v_bytes);

  return v_package;
end
$$;

comment on function app.build_package(text, uuid) is
  'Builds the package that get_shared_resource returns from the rows of a resource.';
