-- app.read_output_parts
--
-- Why         never fails: an error would undo a whole batch of steps
create or replace function app.read_output_parts(
  job_ids bigint[],
  type text,
  list text,
  max_parts integer
)
  returns table (
    job_id bigint, drama_id uuid, owner_id uuid, input jsonb, id uuid, part jsonb, n bigint
  )
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return query
  select j.id, d.id, d.owner_id, j.input, app.parse_uuid(p.part -> 'id'), p.part, p.n
  from public.jobs as j
  -- = any (array[…]): an index lookup even where a plan was made on an empty table (ADR 16).
  join app.drama_runs as r on r.run_id = any (array[j.root_id])
  join public.dramas as d on d.id = any (array[r.drama_id])
  cross join lateral jsonb_array_elements(
    case jsonb_typeof(j.output -> read_output_parts.list)
      when 'array' then j.output -> read_output_parts.list
      else '[]'
    end
  ) with ordinality as p (part, n)
  where j.id = any (read_output_parts.job_ids)
    and j.type = read_output_parts.type
    and app.parse_uuid(p.part -> 'id') is not null
    and p.n <= read_output_parts.max_parts;
end
$$;

comment on function app.read_output_parts(bigint[], text, text, integer) is
$$Returns the parts of a list in the outputs of steps, with the drama that the run may write to.

type: steps of other types are ignored. list: the key of the list in the output. max_parts: later
parts are ignored. Parts whose id is not a UUID are also ignored.$$;
