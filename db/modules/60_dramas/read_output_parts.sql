-- app.read_output_parts
--
-- Why         what a worker sends is read without ever failing
create or replace function app.read_output_parts(job_ids bigint[], type text, list text)
  returns table (job_id bigint, drama_id uuid, owner_id uuid, input jsonb, id uuid, part jsonb, n bigint)
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return query
  select j.id, d.id, d.owner_id, j.input, app.read_uuid(p.part -> 'id'), p.part, p.n
  from public.jobs as j
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
    and app.read_uuid(p.part -> 'id') is not null
    and p.n <= 500;
end
$$;

comment on function app.read_output_parts(bigint[], text, text) is
  'What a list in the outputs of steps of one type holds, each with its id and the drama that the run may write to.';
