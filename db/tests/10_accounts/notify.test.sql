-- app.notify sends notifications, which only their user reads.
begin;
select plan(12);

-- Given two users, one of them with a notification
create temporary table people as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on people to public;
select isnt(
  app.notify(
    (select ana from people), 'credits_low', 'Low balance', 'You have 2 credits left.',
    '{"credits": 2}'
  ),
  null,
  'returns the id of the notification'
);

-- When Ana is signed in
select tests.sign_in((select ana from people));
select results_eq(
  $$
    select kind, title, body, data, read_at, user_id = (select ana from people)
    from public.notifications
  $$,
  $$
    values (
      'credits_low', 'Low balance', 'You have 2 credits left.', '{"credits": 2}'::jsonb,
      null::timestamptz, true
    )
  $$,
  'a user reads their notification'
);
select throws_ok(
  $$ update public.notifications set title = 'You won' $$,
  '42501', null, 'a user cannot change a notification'
);
select throws_ok(
  $$ insert into public.notifications (user_id, kind, title) select ana, 'x', 'x' from people $$,
  '42501', null, 'a user cannot send a notification'
);

-- When Ben is signed in
select tests.sign_in((select ben from people));
select is_empty('select id from public.notifications', 'another user reads no notification of Ana');

-- When nobody is signed in
select tests.become('anon');
select throws_ok(
  'select id from public.notifications',
  '42501', null, 'an anonymous caller cannot read notifications'
);

-- When a notification has faults
reset role;
select throws_ok(
  $$ select app.notify((select ana from people), 'Low', 'x', 'x') $$,
  '23514', null, 'refuses a kind that is not a slug'
);
select throws_ok(
  $$ select app.notify((select ana from people), 'low', 'x', 'x', '[]') $$,
  '23514', null, 'refuses data that are no object'
);

-- When the user is deleted
delete from auth.users where id in (select ana from people);
select is_empty(
  'select id from public.notifications', 'the notifications of a deleted user are deleted'
);
select is(
  app.notify((select ana from people), 'credits_low', 'Low balance', ''), null,
  'sends nothing to a user who is deleted'
);

-- When many notifications are old
reset role;
insert into public.notifications (user_id, kind, title, created_at)
select p.ben, 'old', 'Old', app.now() - interval '10 years'
from people as p, generate_series(1, 301);
select is(
  app.delete_old_notifications(),
  300,
  'deletes old notifications in batches, because one transaction is one poll of Realtime'
);
select is(app.delete_old_notifications(), 1, 'deletes the rest in the next batch');

select * from finish();
rollback;
