-- app.pack_run_dramas
--
-- Writes      as app.pack_dramas; drama_sizes
-- Locks       as app.pack_dramas
-- Why         a drama changes with each step of its run, and is packed once, at the end. A drama
--             that is about to be deleted, or whose owner is, is not packed
create or replace function app.pack_run_dramas(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids uuid[] := array(
    select d.id
    from app.drama_runs as o
    join app.runs as r on r.id = any (array[o.run_id]) and not r.is_closed
    join public.dramas as d on d.id = any (array[o.drama_id])
    join public.users as u on u.id = any (array[d.owner_id])
    where o.run_id = any (pack_run_dramas.run_ids)
  );
begin
  perform app.pack_dramas(v_ids);

  -- A drama that is locked is being saved, and the save records its size.
  perform app.record_drama_size(l.id, l.owner_id, octet_length(p.package::text))
  from (
    select d.id, d.owner_id, d.updated_at
    from public.dramas as d
    where d.id = any (v_ids)
    order by d.id
    for no key update skip locked
  ) as l
  join app.drama_packages as p
    on p.drama_id = any (array[l.id]) and p.updated_at = l.updated_at;
end
$$;

comment on function app.pack_run_dramas(bigint[]) is
  'Stores the document of each drama that these runs wrote to, and its size.';
