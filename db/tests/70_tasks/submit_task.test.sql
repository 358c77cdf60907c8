-- submit_task and an insert into tasks submit a task, within the quotas of the plan.
begin;
select plan(38);
create temporary table known (ana uuid, ben uuid, task uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select, update on known to public;
-- A refusal that has headers keeps its slug in the message.
create function pg_temp.slug_of(command text) returns text language sql as $$
  select case
    when r ->> 'code' = 'PGRST' then (r ->> 'message')::json ->> 'details'
    else r ->> 'slug'
  end
  from tests.refusal_of(command) as r;
$$;
grant execute on function pg_temp.slug_of(text) to public;
insert into plans (id, name, tasks_running, tasks_open, tasks_per_day)
values ('three', 'Three', 1, 3, 4), ('endless', 'Endless', null, null, null);
update users set plan_id = 'three';

-- When callers submit who may not
select tests.become('anon');
select throws_ok($$ select submit_task('x') $$, 'PT401', null, 'refuses anonymous callers');
select throws_ok(
  $$ insert into tasks (mandate) values ('x') $$, '42501', null,
  'refuses anonymous callers who insert'
);
select tests.become('service_role');
select is(
  pg_temp.slug_of($$ insert into tasks (mandate) values ('x') $$),
  'owner_missing',
  'asks service_role for the user'
);
select is(
  pg_temp.slug_of(
    $$ insert into tasks (mandate, user_id) values ('x', '00000000-0000-4000-8000-000000000001') $$
  ),
  'owner_not_found',
  'tells service_role that a user does not exist'
);
select is(
  pg_temp.slug_of(
    $$ insert into tasks (mandate, user_id) select 'x', unnest(array[ana, ben]) from known $$
  ),
  'task_users_differ',
  'refuses tasks of several users in one request'
);
select throws_ok(
  $$ select submit_task('x') $$, '42501', null, 'lets service_role insert instead of submit_task'
);
select tests.sign_in((select ana from known));
select is(
  pg_temp.slug_of($$ insert into tasks (mandate, user_id) select 'x', ben from known $$),
  'owner_not_found',
  'refuses a task for another user'
);

-- When Ana sends values that a task cannot have
select is(
  pg_temp.slug_of(format('select submit_task(%L, %s, %L)', mandate, max_ticks, correlation_id)),
  slug,
  format(
    'answers %s to a mandate of %s characters, %s ticks and an id of %s characters',
    slug, char_length(mandate), max_ticks, char_length(correlation_id)
  )
)
from (
  values
    ('', '5', 'k', 'mandate_invalid'),
    (E' \n\t ', '5', 'k', 'mandate_invalid'),
    (E'\u00a0\u3000\ufeff', '5', 'k', 'mandate_invalid'),
    (repeat('x', 20001), '5', 'k', 'mandate_invalid'),
    (null, '5', 'k', 'mandate_invalid'),
    ('x', '0', 'k', 'max_ticks_invalid'),
    ('x', '501', 'k', 'max_ticks_invalid'),
    ('x', '-2147483648', 'k', 'max_ticks_invalid'),
    ('x', '5', '', 'correlation_id_invalid'),
    ('x', '5', repeat('k', 201), 'correlation_id_invalid')
) as v (mandate, max_ticks, correlation_id, slug);
select is(
  pg_temp.slug_of($$ insert into tasks (mandate, max_ticks) values ('x', 501) $$),
  'max_ticks_invalid',
  'refuses an insert for the same reasons'
);
select throws_ok(
  $$ insert into tasks (mandate, status) values ('x', 'completed') $$, '42501', null,
  'lets no client choose the status'
);
select is_empty('select from tasks', 'has stored none of these');

-- When Ana submits
update known set task = (submit_task(repeat('😀', 20000), 500, repeat('é', 200))).id;
select is((select status from tasks), 'accepted', 'accepts the largest values');
select is(
  (submit_task(repeat('😀', 20000), 500, repeat('é', 200))).id,
  (select task from known),
  'returns the first task to the same request'
);
select is(
  pg_temp.slug_of(format('select submit_task(%L, 499, %L)', repeat('😀', 20000), repeat('é', 200))),
  'correlation_id_taken',
  'refuses another request with the same correlation_id'
);
select is(
  pg_temp.slug_of(
    format('insert into tasks (mandate, correlation_id) values (%L, %L)', 'x', repeat('é', 200))
  ),
  'correlation_id_taken',
  'refuses an insert with the same correlation_id'
);

-- When Ana inserts
select set_config('response.headers', '', true);
insert into tasks (mandate, correlation_id) values ('second', 'second');
select is(
  current_setting('response.headers')::jsonb -> 0 ->> 'Location',
  (select '/tasks?id=eq.' || id from tasks where mandate = 'second'),
  'names the new task in header Location'
);
select is(
  (select concat_ws(' ', status, max_ticks) from tasks where mandate = 'second'),
  'pending 50',
  'leaves a task pending while no slot is free, with 50 ticks by default'
);
update tasks set mandate = 'changed' where mandate = 'second';
select is(
  (submit_task('second', 50, 'second')).mandate,
  'changed',
  'compares with the first request, also after the mandate has changed'
);
select is(
  pg_temp.slug_of($$ select submit_task('changed', 50, 'second') $$),
  'correlation_id_taken',
  'does not compare with the changed mandate'
);
select is(
  pg_temp.slug_of($$ insert into tasks (id, mandate) select task, 'x' from known $$),
  'task_exists',
  'refuses a known id'
);
select is(
  pg_temp.slug_of(
    $$ insert into tasks (id, mandate) select task, 'x' from known on conflict do nothing $$
  ),
  'task_exists',
  'refuses a known id, also if the request ignores duplicates'
);
select set_config('response.headers', '', true);
select is(
  pg_temp.slug_of($$ insert into tasks (mandate) values ('third'), ('fourth') $$),
  'tasks_open_reached',
  'refuses all tasks of a request that has more than the plan admits'
);
select is((submit_task('third')).status, 'pending', 'accepts as many tasks as the plan has open');

-- When the day's quota is spent
delete from tasks where mandate in ('third', 'changed');
select is((submit_task('fourth')).status, 'pending', 'counts deleted tasks of the day');
delete from tasks where mandate = 'fourth';
select is(
  pg_temp.slug_of($$ select submit_task('fifth') $$),
  'tasks_per_day_reached',
  'refuses more tasks than the plan has per day'
);
select ok(
  (
    tests.refusal_of($$ select submit_task('fifth') $$) ->> 'message'
  )::jsonb ->> 'hint' = 'Wait until the day (UTC) ends.',
  'says when the next task may be submitted'
);
reset role;
select tests.travel('1 day');
select tests.sign_in((select ana from known));
select is((submit_task('sixth')).status, 'pending', 'admits tasks on the next day');

-- When two rows are inserted on a plan without limits
reset role;
update users set plan_id = 'endless';
select tests.sign_in((select ben from known));
select set_config('response.headers', '', true);
insert into tasks (mandate) select 'many' from generate_series(1, 30);
select is(
  (select count(*) from tasks where status = 'accepted'),
  30::bigint,
  'accepts every task of a plan without limits'
);
select is(
  current_setting('response.headers')::jsonb,
  '[]',
  'names no Location for several tasks'
);

select * from finish();
rollback;
