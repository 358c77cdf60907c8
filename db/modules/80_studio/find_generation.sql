-- app.find_generation
--
-- Why         called first without a lock, and again while the caller has locked the user
create or replace function app.find_generation(cache_key text)
  returns app.generation_answer
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_answer app.generation_answer;
begin
  select g.id, g.status, true, k.value ->> 'url', nullif(k.value -> 'result', 'null')
  into v_answer
  from cache.kv_store as k
  -- Index lookups even on empty tables: ADR 16.
  join public.generations as g on g.id = any (array[(k.value ->> 'generation_id')::uuid])
  where k.key = any (array[find_generation.cache_key])
    and k.expires_at > app.now()
    and g.status = 'completed';
  if not found then
    select d.generation_id, 'pending', false, null::text, null::jsonb into v_answer
    from app.generation_details as d
    where d.cache_key = any (array[find_generation.cache_key]) and d.ended_at is null;
  end if;

  return v_answer;
end
$$;

comment on function app.find_generation(text) is
$$Returns the generation that answers a request with this cache key: a cached one, or one that is
pending. Null: none.$$;
