-- app.record_drama_media
--
-- Writes      drama_media, drama_sizes
-- Locks       the caller has locked the dramas
-- Why         counts each file that a completed step has stored, also if the drama shows another
--             one: it remains in the store until the drama is deleted
create or replace function app.record_drama_media(job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  with made as (
    select
      r.drama_id,
      -- Without a pattern that contains the id: Postgres would compile the pattern for each row,
      -- which takes milliseconds.
      split_part(j.output ->> 'url', '/drama-assets/' || r.drama_id || '/', -1) as name,
      case jsonb_typeof(j.output -> 'bytes')
        when 'number'
          then least(greatest((j.output ->> 'bytes')::numeric, 0), 1099511627776)::bigint
        else 0
      end as bytes
    from public.jobs as j
    join app.drama_runs as r on r.run_id = any (array[j.root_id])
    where j.id = any (record_drama_media.job_ids)
      and j.type in ('generate_image', 'generate_video')
      and strpos(j.output ->> 'url', '/drama-assets/' || r.drama_id || '/') > 0
  ),
  recorded as (
    insert into app.drama_media as k (drama_id, name, bytes)
    select m.drama_id, m.name, max(m.bytes)
    from made as m
    where m.name ~ '^[a-z0-9]{1,64}\.[a-z0-9]{1,10}$'
    group by m.drama_id, m.name
    on conflict on constraint drama_media_pkey do nothing
    returning k.drama_id, k.bytes
  )
  insert into app.drama_sizes as z (drama_id, owner_id, media_bytes)
  select d.id, d.owner_id, sum(n.bytes)
  from recorded as n
  join public.dramas as d on d.id = any (array[n.drama_id])
  group by d.id
  on conflict on constraint drama_sizes_pkey do update
    set media_bytes = z.media_bytes + excluded.media_bytes;
end
$$;

comment on function app.record_drama_media(bigint[]) is
  'Counts the images and videos that these steps have stored into the bytes of their dramas.';
