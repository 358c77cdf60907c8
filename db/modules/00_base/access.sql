-- Clients cannot reach schema app. Role worker runs the queue and owns none of its objects.

-- Exactly the grants that graphile-worker 0.18 needs: without any one of them it fails. A role that
-- could delete from its table of migrations could make `postgres` run them again.
revoke all on all tables in schema graphile_worker from worker;
revoke all on all sequences in schema graphile_worker from worker;
revoke all on all functions in schema graphile_worker from worker;
grant usage on schema graphile_worker to worker;
grant select on graphile_worker.migrations to worker;
grant select, insert on graphile_worker._private_tasks to worker;
grant select, insert, update
  on graphile_worker._private_job_queues, graphile_worker._private_known_crontabs
  to worker;
grant select, insert, update, delete on graphile_worker._private_jobs to worker;
revoke execute on all functions in schema graphile_worker from public;
grant execute on function
  graphile_worker.add_job,
  graphile_worker.add_jobs,
  graphile_worker.force_unlock_workers
to worker;

-- graphile-worker enables RLS on its tables: a role with grants but without a policy would silently
-- run no job.
do $$
declare
  v_table record;
begin
  for v_table in
    select c.relname
    from pg_catalog.pg_class as c
    where c.relnamespace = 'graphile_worker'::regnamespace and c.relkind = 'r' and c.relrowsecurity
  loop
    execute format('drop policy if exists all_worker on graphile_worker.%I', v_table.relname);
    execute format(
      'create policy all_worker on graphile_worker.%I '
      'for all to worker using (true) with check (true)',
      v_table.relname
    );
  end loop;
end
$$;
