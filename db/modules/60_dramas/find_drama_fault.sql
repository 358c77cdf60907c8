-- app.find_drama_fault
--
-- Why         the rules of docs/drama.schema.json, so that a refusal names the field; the constraints of the tables say the
--             same again for whoever else writes
create or replace function app.find_drama_fault(drama json)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select
      case
        when p.part is null or json_typeof(p.part) <> 'object' then format('%s is no object', p.path)
        when f.form is null then format('%s has no field "%s"', p.path, left(e.key, 80))
        else format('%s: "%s" must be %s', p.path, e.key, f.said)
      end
    from app.list_drama_parts(find_drama_fault.drama) as p
    cross join lateral json_each(
      case json_typeof(p.part) when 'object' then p.part else '{"": 0}' end
    ) as e (key, value)
    left join (
      values
        ('drama', 'title', 'text', 500),
        ('drama', 'premise', 'text', 10000),
        ('drama', 'logline', 'text', 2000),
        ('drama', 'genre', 'text', 200),
        ('drama', 'language', 'text', 100),
        ('drama', 'style', 'text', 2000),
        ('drama', 'model', 'text', 100),
        ('character', 'name', 'text', 500),
        ('character', 'role', 'text', 500),
        ('character', 'description', 'text', 10000),
        ('character', 'appearance', 'text', 10000),
        ('episode', 'title', 'text', 500),
        ('episode', 'summary', 'text', 10000),
        ('episode', 'script', 'text', 100000),
        ('scene', 'title', 'text', 500),
        ('scene', 'summary', 'text', 10000),
        ('scene', 'text', 'text', 100000),
        ('scene', 'image_prompt', 'text', 10000),
        ('scene', 'video_prompt', 'text', 10000),
        ('drama', 'cover_url', 'url', 2000),
        ('character', 'portrait_url', 'url', 2000),
        ('scene', 'image_url', 'url', 2000),
        ('scene', 'video_url', 'url', 2000),
        ('scene', 'audio_url', 'url', 2000),
        ('drama', 'id', 'id', null),
        ('character', 'id', 'id', null),
        ('episode', 'id', 'id', null),
        ('scene', 'id', 'id', null),
        ('scene', 'character_ids', 'ids', 200),
        ('drama', 'external_id', 'name', 200),
        ('drama', 'updated_at', 'time', null),
        ('drama', 'characters', 'list', 200),
        ('drama', 'episodes', 'list', 500),
        ('episode', 'scenes', 'list', 500),
        ('drama', 'extra', 'object', 262144),
        ('character', 'extra', 'object', 262144),
        ('episode', 'extra', 'object', 262144),
        ('scene', 'extra', 'object', 262144),
        -- What get_drama_complete says besides, and nobody can change by saving.
        ('drama', 'options', 'given', null),
        ('drama', 'run_id', 'given', null),
        ('drama', 'created_at', 'given', null),
        ('character', 'portrait_job_id', 'given', null),
        ('scene', 'image_job_id', 'given', null),
        ('scene', 'video_job_id', 'given', null)
    ) as k (kind, key, form, size) on k.kind = p.kind and k.key = e.key
    cross join lateral (
      select
        k.form,
        e.value #>> '{}' as text,
        json_typeof(e.value) as type,
        case k.form
          when 'text' then format('a text of up to %s characters', k.size)
          when 'url' then format('an http(s) URL of up to %s bytes, or null', k.size)
          when 'id' then 'a UUID'
          when 'ids' then format('a list of up to %s UUIDs', k.size)
          when 'name' then format('a text of 1 to %s bytes, or null', k.size)
          when 'time' then 'a time as get_drama_complete gives it, or null'
          when 'list' then format('a list of up to %s', k.size)
          when 'object' then format('an object of up to %s bytes', k.size)
        end as said
    ) as f
    where p.part is null
      or json_typeof(p.part) <> 'object'
      or not coalesce(
        case f.form
          when 'text' then f.type = 'string' and char_length(f.text) <= k.size
          when 'url' then f.type = 'null' or f.type = 'string' and f.text ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$' and octet_length(f.text) <= k.size
          when 'id' then f.type = 'string' and app.is_uuid(f.text)
          when 'ids' then f.type = 'array' and case f.type when 'array' then
            json_array_length(e.value) <= k.size and coalesce((
              select bool_and(json_typeof(i.value) = 'string' and app.is_uuid(i.value #>> '{}'))
              from json_array_elements(e.value) as i (value)
            ), true) end
          when 'name' then f.type = 'null' or f.type = 'string' and octet_length(f.text) between 1 and k.size
          when 'time' then f.type = 'null' or f.type = 'string' and app.is_time(f.text)
          when 'list' then case f.type when 'array' then json_array_length(e.value) <= k.size end
          when 'object' then f.type = 'object' and octet_length(f.text) <= k.size
          when 'given' then true
        end,
        false
      )
    limit 1
  );
end
$$;

comment on function app.find_drama_fault(json) is
  'What is wrong with the first field that is not as docs/drama.schema.json says; null where none is.';
