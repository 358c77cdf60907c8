-- app.list_outputs
--
-- Why         returns the sizes of the outputs, not the outputs, so that worker.read_outputs reads
--             only the outputs of one page and never builds a collected output as a whole
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
    -- One index lookup per step that collects, even on an empty table: ADR 16.
    cross join lateral (
      select j.id, j.key, j.collects, j.output_bytes
      from public.jobs as j
      where j.parent_id = any (array[t.id]) and j.status in ('completed', 'failed')
      offset 0
    ) as c
    where t.collects
  )
  select
    t.id,
    t.path,
    -- output_bytes of a step that collects includes its children, which have rows of their own
    -- here.
    case when t.collects
      then (
        select coalesce(octet_length(j.output::text), 0)
        from public.jobs as j
        where j.id = t.id
      )
      else t.output_bytes
    end
  from tree as t
  where t.id > list_outputs.after_id
  order by t.id;
end
$$;

comment on function app.list_outputs(bigint[], bigint) is
$$Lists the outputs of jobs and, below jobs that collect, of their children: id, path of keys, size
in bytes.

Sorted by id; only ids greater than after_id.$$;
