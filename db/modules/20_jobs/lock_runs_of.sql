-- app.lock_runs_of
--
-- Locks       the runs of the running steps that results name, lowest id first
create or replace function app.lock_runs_of(results jsonb)
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
  v_failing_ids bigint[];
begin
  for v_one in
    select r.id, r.failing_step_id
    from app.runs as r
    where r.id = any (
      array(
        select q.run_id
        from app.job_queue as q
        where q.job_id = any (
          array(
            select app.parse_bigint(g.result -> 'id')
            from jsonb_array_elements(lock_runs_of.results) as g (result)
          )
        )
      )
    )
    -- "+ 0" keeps the planner from reading the primary key from end to end: ADR 16.
    order by r.id + 0
    for update
  loop
    if v_one.failing_step_id is not null then
      v_failing_ids := v_failing_ids || v_one.id;
    end if;
  end loop;

  return v_failing_ids;
end
$$;

comment on function app.lock_runs_of(jsonb) is
  'Locks the runs of the steps in these results. Returns the failing runs among these runs, or '
  'null.';
