-- app.insert_share
--
-- Writes      shared_resources, share_packages; rate_limits, anonymous_bytes
-- Errors      PT429 rate_limited, too_many_public_shares
-- Locks       the caller's row of rate_limits, then a row of anonymous_bytes, without waiting
-- Why         the package comes first: without it, trigger _100_seal would build one. Callers check
--             its size, before their rows repeat the check as a constraint, and lock the caller for
--             a large package, before they lock anything else.
-- The function of earlier releases, without revoke_token.
drop function if exists app.insert_share(uuid, text, uuid, text, json, bigint);

create or replace function app.insert_share(
  share_id uuid,
  resource_type text,
  resource_id uuid,
  visibility text,
  package json,
  request_hash bigint,
  revoke_token uuid
)
  returns public.share_link
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_bytes integer := octet_length(insert_share.package::text);
begin
  perform app.free_share_id(insert_share.share_id);

  insert into app.share_packages (
    share_id, package, request_hash, caller_hash, counted_until, revoke_hash, owner_id, title,
    icon_url
  )
  select
    insert_share.share_id,
    insert_share.package,
    insert_share.request_hash,
    case insert_share.visibility when 'public' then app.hash_caller() end,
    case insert_share.visibility when 'public' then app.now() + interval '1 hour' end,
    sha256(uuid_send(insert_share.revoke_token)),
    app.find_sharer(),
    d.title,
    d.icon_url
  from app.describe_package(insert_share.resource_type, insert_share.package) as d;
  insert into public.shared_resources (id, resource_type, resource_id, visibility)
  values (
    insert_share.share_id,
    insert_share.resource_type,
    insert_share.resource_id,
    insert_share.visibility
  );

  perform app.take_share_rate(v_bytes);
  if insert_share.visibility = 'public' then
    perform app.require_public_count(0);
  end if;
  -- An unlisted flow has no rows; all other resources store about the same bytes twice.
  perform app.count_anonymous_bytes(case
    when insert_share.visibility = 'unlisted' and insert_share.resource_type = 'flow' then v_bytes
    else 2 * v_bytes
  end);

  return app.get_share_link(insert_share.share_id);
end
$$;

comment on function app.insert_share(uuid, text, uuid, text, json, bigint, uuid) is
$$Inserts a share of a sealed resource with its package, and returns the link.

resource_id: a row of the resource's table, or a new UUID if the resource has a package only.
request_hash: from app.hash_request. revoke_token: of app.revoke_share, or null.$$;
