-- No client reaches anything of schema app; role worker runs the queue, and owns nothing of it.

grant usage on schema graphile_worker to worker;
grant select, insert, update, delete on all tables in schema graphile_worker to worker;
grant usage, select on all sequences in schema graphile_worker to worker;
revoke execute on all functions in schema graphile_worker from public;
grant execute on all functions in schema graphile_worker to worker;

-- graphile-worker enables RLS on its tables: without a policy a role with grants alone would run nothing, silently.
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
      'create policy all_worker on graphile_worker.%I for all to worker using (true) with check (true)',
      v_table.relname
    );
  end loop;
end
$$;

alter role authenticator set pgrst.db_pre_request = 'gate.pre_request';
notify pgrst, 'reload config';
