-- app.lock_free_runs
--
-- Locks       the runs of the steps that results name, lowest id first, with skip locked
create or replace function app.lock_free_runs(results jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_run_ids bigint[];
begin
  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (
      array(
        select q.run_id
        from app.job_queue as q
        where q.job_id = any (
          array(
            select app.parse_bigint(g.result -> 'id')
            from jsonb_array_elements(lock_free_runs.results) as g (result)
          )
        )
      )
    )
    -- "+ 0" keeps the planner from reading the primary key from end to end: ADR 16.
    order by r.id + 0
    for update skip locked
  );

  return coalesce(
    (
      select jsonb_agg(
        jsonb_build_object('index', g.n - 1, 'id', q.job_id, 'reason', 'run_busy') order by g.n
      )
      from jsonb_array_elements(lock_free_runs.results) with ordinality as g (result, n)
      -- Index lookup even on an empty table: ADR 16.
      join app.job_queue as q on q.job_id = any (array[app.parse_bigint(g.result -> 'id')])
      where q.run_id <> all (v_run_ids)
    ),
    '[]'
  );
end
$$;

comment on function app.lock_free_runs(jsonb) is
$$Locks the runs of the steps in these results that no other transaction has locked.

Returns the results of the other runs, as app.apply_free_results refuses them.$$;
