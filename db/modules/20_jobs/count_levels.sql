-- app.count_levels
create or replace function app.count_levels(job_id bigint)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    with recursive line as (
      select count_levels.job_id as id
      union all
      select j.parent_id
      from line as l
      -- Index lookup even on an empty table: ADR 8.
      join public.jobs as j on j.id = any (array[l.id])
      where j.parent_id is not null
    )
    select count(*)::integer
    from line as l
  );
end
$$;

comment on function app.count_levels(bigint) is
  'Returns the number of levels from the root down to a job; 1 for the root.';
