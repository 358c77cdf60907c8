-- app.require_public_size
--
-- Errors      PT413 public_share_too_large
-- Why         everybody lists public rows, a thousand in one answer
create or replace function app.require_public_size(bytes bigint, nodes bigint default 0)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_max integer := (select s.public_row_bytes_max from app.settings as s);
begin
  if require_public_size.bytes + 1024 * require_public_size.nodes > v_max then
    perform app.fail(
      413,
      'public_share_too_large',
      format(
        'A public flow, card or session may have at most %s KiB; each node of a flow counts 1 KiB '
        'more.',
        v_max / 1024
      ),
      'Share it as unlisted, or share less.'
    );
  end if;
end
$$;

comment on function app.require_public_size(bigint, bigint) is
$$Refuses a public resource of more than app.settings.public_row_bytes_max.

bytes: of the resource with its nodes. nodes: their number; each counts as a KiB more, because lists
repeat nodes where a request nests tables. 413 public_share_too_large.$$;
