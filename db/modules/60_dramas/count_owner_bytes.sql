-- app.count_owner_bytes
--
-- Why         a sum over the owner's dramas, because a counter per owner would be locked by each
--             save and each result of the owner: ADR 15
create or replace function app.count_owner_bytes(owner_id uuid)
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select coalesce(sum(z.document_bytes + z.media_bytes), 0)::bigint
    from app.drama_sizes as z
    -- = any (array[…]): an index lookup even where a plan was made on an empty table (ADR 16).
    where z.owner_id = any (array[count_owner_bytes.owner_id])
  );
end
$$;

comment on function app.count_owner_bytes(uuid) is
  'Returns how many bytes an owner stores: documents, and the images and videos of dramas.';
