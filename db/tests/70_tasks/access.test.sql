-- Attacks on tasks: other users, anonymous callers, service_role, and keys that only read.
begin;
select plan(27);
select tests.announce_versions();
create temporary table known (ana uuid, ben uuid, task uuid, run bigint, fence bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select, update on known to public;
select tests.sign_in((select ana from known));
update known set task = (submit_task('Find names.')).id;
reset role;
select tests.claim_steps();
update known set run = (select t.run_id from tasks as t);
update known set fence = (select max(c.fence) from tests.claims as c);
create function pg_temp.attacks() returns table (attack text, command text) language sql as $$
  select a.attack, format(a.command, k.task)
  from known as k
  cross join (
    values
      ('read', 'select 1 / count(*) from tasks where id = %L'),
      ('change', 'update tasks set mandate = ''x'' where id = %L'),
      ('delete', 'delete from tasks where id = %L'),
      ('cancel', 'select cancel_task(%L)'),
      ('retry', 'select retry_task(%L)'),
      ('answer', 'select answer_task(%L, 1, ''5'')')
  ) as a (attack, command);
$$;
grant execute on function pg_temp.attacks() to public;

-- When Ben tries
select tests.sign_in((select ben from known));
select is_empty('select from tasks', 'hides the task from another user');
select is(
  tests.refusal_of(command) ->> 'slug', 'task_not_found', format('lets another user not %s', attack)
)
from pg_temp.attacks()
where attack in ('cancel', 'retry', 'answer');
update tasks set mandate = 'x';
delete from tasks;
select is(list_tasks() ->> 'tasks', '[]', 'lists no tasks of another user');
select throws_ok(
  'update tasks set user_id = (select ben from known)', '42501', null, 'lets nobody move a task'
);
select throws_ok(
  $$ update tasks set status = 'completed', result = '{}' $$, '42501', null,
  'lets no client write status and result'
);
select throws_ok(
  $$ select from app.task_states $$, '42501', null, 'shows no private rows to clients'
);

-- When anonymous callers try
select tests.become('anon');
select throws_ok(command, '42501', null, format('lets anonymous callers not %s', attack))
from pg_temp.attacks()
where attack in ('read', 'change', 'delete');
select throws_ok(command, 'PT401', null, format('lets anonymous callers not %s', attack))
from pg_temp.attacks()
where attack in ('cancel', 'retry', 'answer');
select throws_ok('select list_tasks()', 'PT401', null, 'lists nothing for anonymous callers');

-- When service_role acts
select tests.become('service_role');
select is((select mandate from tasks), 'Find names.', 'lets service_role read every task');
select throws_ok(command, '42501', null, format('lets service_role not %s directly', attack))
from pg_temp.attacks()
where attack in ('change', 'delete');
select is(
  tests.refusal_of((select command from pg_temp.attacks() where attack = 'retry')) ->> 'slug',
  'task_not_ended',
  'lets service_role call the functions for each user'
);

-- When a key that may only read is sent
reset role;
create temporary table keys (key text);
grant select, insert on keys to public;
select tests.sign_in((select ana from known));
insert into keys select (create_api_key('read', array['read'])).key;
select tests.send_key((select key from keys), 'POST', '/rpc/x');
select throws_ok(command, '25006', null, format('lets a key that reads not %s', attack))
from pg_temp.attacks()
where attack in ('change', 'delete');
select throws_ok(command, 'PT403', null, format('lets a key that reads not %s', attack))
from pg_temp.attacks()
where attack in ('cancel', 'retry', 'answer');
select throws_ok(
  $$ select submit_task('x') $$, 'PT403', null, 'lets a key that reads not submit'
);
select is(
  json_array_length(list_tasks() -> 'tasks'), 1, 'lets a key that reads list the tasks'
);
-- A client may filter what a function returns, also by a regular expression that takes minutes
reset role;
select is(
  (
    select array_agg(p.proname::text order by p.proname)
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace
      and p.prorettype = 'public.tasks'::regtype
      and 'statement_timeout=2s' = any (p.proconfig)
  ),
  '{answer_task,cancel_task,retry_task,submit_task}',
  'ends every function after two seconds that returns a task which it has locked'
);
select * from finish();
rollback;
