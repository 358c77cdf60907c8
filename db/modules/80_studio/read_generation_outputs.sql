-- app.read_generation_outputs
--
-- Why         the worker sends the key of the object that it has stored. Only a target of the same
--             generation is accepted, so an output cannot show another object
create or replace function app.read_generation_outputs(job_ids bigint[])
  returns setof app.generation_output
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return query
  select
    d.run_id,
    d.generation_id,
    d.cache_key,
    f.file_id,
    case
      when g.kind = 'image' then (select s.storage_url from app.settings as s)
        || '/object/public/generations/' || (j.output ->> 'object_key')
    end,
    case when g.kind = 'analysis' then j.output -> 'result' end
  from unnest(read_generation_outputs.job_ids) as i (id)
  -- Index lookups even on empty tables: ADR 16.
  join app.generation_details as d on d.run_id = any (array[i.id])
  join public.generations as g on g.id = any (array[d.generation_id])
  join public.jobs as j on j.id = any (array[i.id])
  left join app.generation_files as f
    on f.file_id = any (
      array[
        substring(
          j.output ->> 'object_key'
          from '/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[.](?:png|jpg|webp)$'
        )::uuid
      ]
    )
    and f.generation_id = d.generation_id
    and f.delete_at is null
    and starts_with(j.output ->> 'object_key', f.user_id || '/' || f.file_id || '.')
  where d.ended_at is null
    and case g.kind
      -- An operator may have removed the address of Storage since the request.
      when 'image' then f.file_id is not null
        and (select s.storage_url from app.settings as s) is not null
      else jsonb_typeof(j.output -> 'result') = 'object'
        and octet_length((j.output -> 'result')::text) <= 65536
    end
  order by d.run_id;
end
$$;

comment on function app.read_generation_outputs(bigint[]) is
$$Returns the outputs of these steps that their generations can use.

An image is { object_key }: the target of an attempt of the generation, with an extension. No image
can be used while app.settings.storage_url is null. An analysis is { result }: an object of at most
64 KiB.$$;
