-- A task makes only the transitions of docs/states.md. A trigger refuses every other transition,
-- also to postgres.
begin;
select plan(3);
create temporary table states as
select s.status, s.n
from unnest(
  '{pending,accepted,started,in_progress,input_required,completed,error,cancelled}'::text[]
) with ordinality as s (status, n);
create function pg_temp.can_become(old_status text, new_status text) returns boolean
language plpgsql as $$
begin
  delete from public.tasks;
  insert into public.tasks (user_id, mandate, status) values (gen_random_uuid(), 'm', old_status);
  update public.tasks set status = new_status;
  return true;
exception
  when sqlstate 'PT409' then
    return false;
end
$$;

-- When each status is changed into each other one
select results_eq(
  $$
    select o.status, string_agg(n.status, ' ' order by n.n)
    from states as o
    join states as n on n.status <> o.status and pg_temp.can_become(o.status, n.status)
    group by o.status, o.n
    order by o.n
  $$,
  $$
    values
      ('pending', 'accepted cancelled'),
      ('accepted', 'started completed error cancelled'),
      ('started', 'in_progress input_required completed error cancelled'),
      ('in_progress', 'input_required completed error cancelled'),
      ('input_required', 'in_progress completed error cancelled'),
      ('error', 'pending'),
      ('cancelled', 'pending')
  $$,
  'has only these transitions, and none from completed'
);
select is(
  tests.refusal_of($$ update tasks set status = 'pending' where status <> 'pending' $$),
  null,
  'permits a statement that changes no status'
);
insert into tasks (user_id, mandate, status) values (gen_random_uuid(), 'm', 'completed');
select is(
  tests.refusal_of($$ update tasks set status = 'pending' where status = 'completed' $$) - 'hint',
  '{"code": "PT409", "slug": "task_status_invalid",
    "message": "A task that is completed cannot become pending."}',
  'names the transition that it refuses'
);

select * from finish();
rollback;
