-- app.record_generations
--
-- Called by   the job engine, as on_completed of process_image and analyze_face
-- Writes      generations, generation_details, generation_files, kv_store, notifications; as
--             app.capture_holds
-- Idempotent  skips generations that have ended
-- Locks       the users (app.capture_holds), then generations, their details and files, then
--             entries of the cache. The engine holds the runs
-- Why         raises no error: if an output cannot be used, its generation stays pending, and
--             app.end_generations, which the engine calls next, fails the generation
create or replace function app.record_generations(job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_now constant timestamptz := app.now();
  v_outputs app.generation_output[] := array(
    select o
    from app.read_generation_outputs(record_generations.job_ids) as o
  );
begin
  if v_outputs = '{}' then
    return;
  end if;

  perform app.capture_holds(array(select o.run_id from unnest(v_outputs) as o));
  with settings as (
    select s.cache_ttl, s.generation_file_grace
    from app.settings as s
  ),
  completed as (
    update public.generations as g
    set
      status = 'completed',
      url = o.url,
      result = o.result,
      completed_at = v_now
    from unnest(v_outputs) as o
    -- Index lookup even on an empty table: ADR 16.
    where g.id = any (array[o.generation_id]) and g.status = 'pending'
    returning
      g.id, g.user_id, g.tool_id, g.tool_key, g.kind, g.url, g.result, o.cache_key, o.file_id
  ),
  ended_details as (
    update app.generation_details as d
    set ended_at = v_now, prompt = null
    from completed as c
    where d.generation_id = any (array[c.id])
  ),
  unused_files as (
    update app.generation_files as f
    set delete_at = v_now + (select s.generation_file_grace from settings as s)
    from completed as c
    where f.generation_id = any (array[c.id])
      and f.delete_at is null
      and f.file_id is distinct from c.file_id
  ),
  cached as (
    insert into cache.kv_store (key, value, expires_at)
    select
      c.cache_key,
      jsonb_build_object('generation_id', c.id, 'url', c.url, 'result', c.result),
      v_now + s.cache_ttl
    from completed as c
    cross join settings as s
    order by c.cache_key
    on conflict on constraint kv_store_pkey do update
      set value = excluded.value, expires_at = excluded.expires_at
  )
  -- This transaction holds the users, so the foreign key waits for nobody: see app.notify.
  insert into public.notifications (user_id, kind, title, body, data, created_at)
  select
    c.user_id,
    'generation_completed',
    case c.kind when 'image' then 'Your image is ready' else 'Your analysis is ready' end,
    coalesce(t.name, c.tool_key),
    jsonb_build_object(
      'generation_id', c.id, 'tool_key', c.tool_key, 'kind', c.kind, 'url', c.url
    ),
    v_now
  from completed as c
  left join public.tools as t on t.id = any (array[c.tool_id])
  order by c.id;
end
$$;

comment on function app.record_generations(bigint[]) is
$$Callback on_completed: charges the holds of these steps, completes their generations, caches the
results and notifies the users.

The file of the completed attempt is kept; files of earlier attempts are deleted.$$;
