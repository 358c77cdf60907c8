-- app.insert_share
--
-- Writes      shared_resources, share_packages; rate_limits
-- Errors      PT413 package_too_large, PT429 rate_limited
-- Locks       the caller's row of rate_limits, last
create or replace function app.insert_share(
  share_id uuid,
  resource_type text,
  resource_id uuid,
  visibility text,
  package json,
  request_hash bigint
)
  returns public.share_link
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.require_package_size(insert_share.package);
  perform app.free_share_id(insert_share.share_id);

  insert into app.share_packages (share_id, package, request_hash)
  values (insert_share.share_id, insert_share.package, insert_share.request_hash);
  insert into public.shared_resources (id, resource_type, resource_id, visibility)
  values (insert_share.share_id, insert_share.resource_type, insert_share.resource_id, insert_share.visibility);
  perform app.take_share_rate(octet_length(insert_share.package::text));

  return app.share_link(insert_share.share_id);
end
$$;

comment on function app.insert_share(uuid, text, uuid, text, json, bigint) is 'Shares a sealed resource with its package.';
