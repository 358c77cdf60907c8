-- app.revoke_share, public.revoke_share
--
-- Called by   clients
-- Writes      deletes from shared_resources; a trigger deletes the resource; rate_limits
-- Errors      PT404 share_not_found, PT429 rate_limited
-- Locks       the share_id (advisory), the share, its resource, then the caller's row of
--             rate_limits
create or replace function app.revoke_share(share_id uuid, revoke_token uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.require_writing();
  perform app.lock_share_id(revoke_share.share_id);

  delete from public.shared_resources as s
  using app.share_packages as p
  where s.id = revoke_share.share_id
    and s.expires_at > app.now()
    and p.share_id = s.id
    and (
      p.revoke_hash = sha256(uuid_send(revoke_share.revoke_token))
      or p.owner_id = auth.uid()
    );
  if not found then
    perform app.fail(
      404,
      'share_not_found',
      'Share not found, or the token is not the token of this share.',
      'Send the revoke_token of the share, or sign in as the user who made the share.'
    );
  end if;

  perform app.take_share_rate(0);
end
$$;

comment on function app.revoke_share(uuid, uuid) is
  'Deletes a share for the caller who made it; see public.revoke_share.';

create or replace function public.revoke_share(share_id uuid, revoke_token uuid default null)
  returns void
  language sql
  volatile
  set search_path = ''
return app.revoke_share(share_id, revoke_token);

comment on function public.revoke_share(uuid, uuid) is
$$Deletes a share before it expires.

share_id: the share. revoke_token: the token that the share was made with. The signed-in user who
made the share needs no token. The share and its resource are deleted at once. A CDN may serve the
package until the time that its Cache-Control named.
404 share_not_found: the share is unknown, expired or revoked, or the caller may not revoke it.
429 rate_limited.$$;

grant execute on function app.revoke_share(uuid, uuid) to anon, authenticated, service_role;
grant execute on function public.revoke_share(uuid, uuid) to anon, authenticated, service_role;
