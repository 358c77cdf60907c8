-- Attacks on generations: other users, anonymous callers, service_role, keys, and the worker.
begin;
select plan(46);
select tests.prepare_studio();
create temporary table known (
  ana uuid, ben uuid, photo text, id uuid, note uuid, run bigint, fence bigint
);
insert into known (ana, ben)
values (tests.create_user('ana@example.com'), tests.create_user('ben@example.com'));
update known set photo = tests.upload_photo(ana), note = app.notify(ana, 'hello', 'Hello', '');
select tests.grant_credits(ana, 10, 'pack'), tests.grant_credits(ben, 10, 'pack') from known;
grant select, update on known to public;
select tests.sign_in((select ana from known));
update known set id = (tests.paint(photo) ->> 'generation_id')::uuid;
reset role;
select tests.claim_steps();
update known set run = c.id, fence = c.fence from tests.claims as c;
create function pg_temp.slug(command text) returns text language sql as
  'select tests.refusal_of(command) ->> ''slug''';
grant execute on function pg_temp.slug(text) to public;

-- When Ben tries to reach what is Ana's
select tests.sign_in((select ben from known));
select is_empty('select from generations', 'hides generations from another user');
update generations set is_favourite = true;
delete from generations;
select is(list_generations() ->> 'generations', '[]', 'lists nothing of another user');
select is(
  pg_temp.slug(format('select cancel_generation(%L)', id)), 'generation_not_found',
  'another user cannot cancel a generation'
)
from known;
select is(
  pg_temp.slug(format('select mark_notification_read(%L)', note)), 'notification_not_found',
  'another user cannot mark a notification as read'
)
from known;
select is(mark_notifications_read(), 0, 'marks only notifications of the caller as read');
select is(
  pg_temp.slug(format('select cancel_job(%s)', run)), 'job_not_found',
  'another user cannot cancel the run of a generation'
)
from known;
reset role;
select is(
  (select (g.status, g.is_favourite, n.read_at)::text from generations as g, notifications as n),
  '(pending,f,)',
  'nothing of Ana''s has changed'
);
-- The same bytes: ETag and size are those of Ana's photo.
update known set photo = tests.upload_photo(ben);
select tests.sign_in((select ben from known));
select isnt(
  tests.paint(photo) ->> 'generation_id', id::text,
  'another user with the same photo gets a generation of their own'
)
from known;
select is(
  (select count(*) from generations), 1::bigint, 'each user sees their own generation'
);
select throws_ok(command, '42501', null, format('lets no user %s', what))
from (
  values
    ('insert a generation', 'insert into generations default values'),
    ('change a status', 'update generations set status = ''completed'''),
    ('change a URL', 'update generations set url = ''http://x'''),
    ('move a generation', 'update generations set user_id = null'),
    ('read a cache key', 'select from app.generation_details'),
    ('read idempotency keys', 'select from app.generation_requests'),
    ('read files', 'select from app.generation_files'),
    ('read the cache', 'select from cache.kv_store'),
    ('fill the cache', 'insert into cache.kv_store values (''a'', ''{}'', ''infinity'')'),
    ('mark a notification by hand', 'update notifications set read_at = null'),
    ('call a callback', 'select app.record_generations(array[1])'),
    ('call the door of the worker', 'select worker.read_generation(1, 1)'),
    (
      'start a generation for somebody else',
      'select app.request_generation(''image'', null, null, null, null, null)'
    )
) as a (what, command);
update generations set is_favourite = true;
select is((select is_favourite from generations), true, 'lets a user mark a favourite');
select is(count_unread_notifications(), 0, 'counts only unread notifications of the caller');
reset role;

-- When Ben stores files
select tests.sign_in((select ben from known));
select lives_ok(
  format(
    'insert into storage.objects (bucket_id, name) values (%L, %L)', 'user_uploads', ben || name
  ),
  format('a user may store %s in their folder', name)
)
from known, unnest(array['/a.jpg', '/album/.b..jpg', '/..c/d']) as f (name);
select throws_ok(
  format(
    'insert into storage.objects (bucket_id, name) values (%L, %L)', 'user_uploads',
    ben || '/' || name
  ),
  '42501', null, format('lets no user store a file as %s', name)
)
from unnest(array['../x/photo.jpg', './photo.jpg', 'a//photo.jpg']) as f (name), known;
select throws_ok(
  format('update storage.objects set name = %L where name = %L', ben || '/../x', ben || '/a.jpg'),
  '42501', null, 'lets no user rename a file to a path around the folder'
)
from known;
reset role;

-- When Ana reads her notifications
select tests.sign_in((select ana from known));
select is(count_unread_notifications(), 1, 'counts the unread notifications');
select isnt((mark_notification_read(note)).read_at, null, 'marks a notification as read')
from known;
select is(count_unread_notifications(), 0, 'a notification that is read is not counted');
reset role;
select app.notify(ana, 'hello', n::text, '') from known, generate_series(1, 3) as n;
select tests.sign_in((select ana from known));
select is(mark_notifications_read(), 3, 'marks all notifications as read');
reset role;
savepoint many;
select app.notify(ana, 'hello', n::text, '') from known, generate_series(1, 5001) as n;
select tests.sign_in((select ana from known));
select is(mark_notifications_read(), 5000, 'marks 5,000 notifications at most');
select is(mark_notifications_read(), 1, 'marks the others in the next call');
rollback to many;
select tests.travel('91 days');
select is(
  worker.run_schedule('delete-old-notifications'), 4, 'deletes notifications after 90 days'
);
select tests.travel('0');

-- When others try
select tests.become('anon');
select throws_ok('select from generations', '42501', null, 'shows nothing to anonymous callers');
select tests.become('service_role');
select is((select count(*) from generations), 2::bigint, 'lets service_role read every generation');
select throws_ok(
  'delete from generations', '42501', null, 'lets service_role delete nothing by itself'
);
select tests.become('worker');
select throws_ok(
  'select from public.generations', '42501', null, 'lets the worker read no generations'
);
select is(
  pg_temp.slug(format('select worker.read_generation(%L, %L)', step, fence_of)), 'step_lost',
  format('opens no generation with %s', what)
)
from known
cross join lateral (
  values
    ('an old fence', run, fence - 1),
    ('another step', run + 1, fence),
    ('the largest numbers', 9223372036854775807, 9223372036854775807),
    ('nulls', null, null)
) as w (what, step, fence_of);
select * from finish();
rollback;
