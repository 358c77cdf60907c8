-- app.list_outputs
--
-- Called by   worker.read_outputs
-- Why         outputs as leaves with their path, so that one that collects its children's is never built in one piece
create or replace function app.list_outputs(job_ids bigint[], after_id bigint default 0)
  returns table (id bigint, path text[], output jsonb, size integer)
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if not exists (select from public.jobs as j where j.id = any (list_outputs.job_ids) and j.collects) then
    return query
    select
      j.id,
      array[j.key],
      case j.status when 'failed' then jsonb_build_object('error', j.error_slug) else coalesce(j.output, 'null') end,
      j.output_bytes
    from public.jobs as j
    where j.id = any (list_outputs.job_ids) and j.id > list_outputs.after_id and j.status in ('completed', 'failed')
    order by j.id;
    return;
  end if;

  return query
  with recursive tree as (
    select j.id, array[j.key] as path, j.status, j.collects
    from public.jobs as j
    where j.id = any (list_outputs.job_ids) and j.status in ('completed', 'failed')
    union all
    select c.id, t.path || c.key, c.status, c.collects
    from tree as t
    join public.jobs as c on c.parent_id = any (array[t.id])
    where t.collects and c.status in ('completed', 'failed')
  )
  select
    j.id,
    t.path,
    case j.status
      when 'failed' then jsonb_build_object('error', j.error_slug)
      else coalesce(j.output, case when j.collects then '{}' else 'null' end::jsonb)
    end,
    coalesce(octet_length(j.output::text), 0)
  from tree as t
  join public.jobs as j on j.id = any (array[t.id])
  where j.id > list_outputs.after_id
  order by j.id;
end
$$;

comment on function app.list_outputs(bigint[], bigint) is
  'The outputs of these jobs and, where one collects, of its children, each with its path of keys; by id, after after_id.';

revoke execute on function app.list_outputs(bigint[], bigint) from public;
