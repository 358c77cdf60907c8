-- app.list_outputs
--
-- Why         outputs as leaves with their path, so that one that collects its children's is never built in one piece. Their
--             sizes, not the outputs: each page reads only those that it has
create or replace function app.list_outputs(job_ids bigint[], after_id bigint default 0)
  returns table (id bigint, path text[], size integer)
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return query
  with recursive tree as (
    select j.id, array[j.key] as path, j.collects, j.output_bytes
    from public.jobs as j
    where j.id = any (list_outputs.job_ids) and j.status in ('completed', 'failed')
    union all
    select c.id, t.path || c.key, c.collects, c.output_bytes
    from tree as t
    join public.jobs as c on c.parent_id = any (array[t.id])
    where t.collects and c.status in ('completed', 'failed')
  )
  select
    t.id,
    t.path,
    -- What collects counts its children, too.
    case when t.collects
      then (select coalesce(octet_length(j.output::text), 0) from public.jobs as j where j.id = t.id)
      else t.output_bytes
    end
  from tree as t
  where t.id > list_outputs.after_id
  order by t.id;
end
$$;

comment on function app.list_outputs(bigint[], bigint) is
  'Whose outputs these are, of these jobs and, where one collects, of its children: each with its path of keys and its size in '
  'bytes; by id, after after_id.';
