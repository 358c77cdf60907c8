-- app.find_share
--
-- Errors      PT409 share_id_taken
-- The function of earlier releases, without revoke_token.
drop function if exists app.find_share(uuid, text, text, bigint);

create or replace function app.find_share(
  share_id uuid,
  resource_type text,
  visibility text,
  request_hash bigint,
  revoke_token uuid
)
  returns public.share_link
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_link public.share_link := app.get_share_link(find_share.share_id);
begin
  if v_link.share_id is null then
    return null;
  end if;

  if not exists (
    select
    from public.shared_resources as s
    join app.share_packages as p on p.share_id = s.id
    where s.id = find_share.share_id
      and s.resource_type = find_share.resource_type
      and s.visibility = find_share.visibility
      and p.request_hash = find_share.request_hash
      and p.revoke_hash is not distinct from sha256(uuid_send(find_share.revoke_token))
  ) then
    perform app.fail(
      409,
      'share_id_taken',
      'This share_id belongs to another share.',
      'Send a new share_id, such as crypto.randomUUID().'
    );
  end if;

  return v_link;
end
$$;

comment on function app.find_share(uuid, text, text, bigint, uuid) is
$$Returns the link of the live share that the same request made before.

Returns null if share_id is free. 409 share_id_taken: another request made the share.$$;
