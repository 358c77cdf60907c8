-- A signed-in user reads and deletes their own tasks, inserts { mandate, max_ticks, correlation_id,
-- id }, and changes mandate and max_ticks while a task is pending; service_role reads all tasks and
-- inserts a task for the user_id that it names; functions write everything else.

revoke all on public.tasks from anon, authenticated, service_role;

grant select (
  id, correlation_id, user_id, mandate, status, max_ticks, tick, result, error, created_at,
  updated_at, usage, run_id
) on public.tasks to authenticated;
grant insert (id, correlation_id, user_id, mandate, max_ticks)
  on public.tasks to authenticated, service_role;
grant update (mandate, max_ticks) on public.tasks to authenticated;
grant delete on public.tasks to authenticated;
grant select on public.tasks to service_role;

drop policy if exists select_own on public.tasks;
create policy select_own on public.tasks
  for select
  to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists insert_own on public.tasks;
create policy insert_own on public.tasks
  for insert
  to authenticated
  with check (user_id = (select auth.uid()));

drop policy if exists update_own on public.tasks;
create policy update_own on public.tasks
  for update
  to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists delete_own on public.tasks;
create policy delete_own on public.tasks
  for delete
  to authenticated
  using (user_id = (select auth.uid()));

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('tasks', 'Call cancel_task, retry_task or answer_task.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
