-- app.record_drama_size
--
-- Writes      drama_sizes
-- Locks       the caller has locked the drama
create or replace function app.record_drama_size(drama_id uuid, owner_id uuid, bytes bigint)
  returns bigint
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_old_bytes bigint := (
    select z.document_bytes
    from app.drama_sizes as z
    where z.drama_id = record_drama_size.drama_id
  );
begin
  if v_old_bytes is null then
    insert into app.drama_sizes (drama_id, owner_id, document_bytes)
    values (
      record_drama_size.drama_id, record_drama_size.owner_id, record_drama_size.bytes
    );
  elsif v_old_bytes <> record_drama_size.bytes then
    update app.drama_sizes as z
    set document_bytes = record_drama_size.bytes
    where z.drama_id = record_drama_size.drama_id;
  end if;

  return record_drama_size.bytes - coalesce(v_old_bytes, 0);
end
$$;

comment on function app.record_drama_size(uuid, uuid, bigint) is
  'Stores the size of a drama''s document, and returns by how many bytes it has grown.';
