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
      select p.parent_id
      from line as l
      -- One index lookup per level, even on an empty table: ADR 16.
      cross join lateral (
        select j.parent_id
        from public.jobs as j
        where j.id = any (array[l.id]) and j.parent_id is not null
        offset 0
      ) as p
    )
    select count(*)::integer
    from line as l
  );
end
$$;

comment on function app.count_levels(bigint) is
  'Returns the number of levels from the root down to a job; 1 for the root.';
