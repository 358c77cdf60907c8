-- Realtime reads the names of the published tables, and sends what grants and policies show: a list
-- of columns or a filter of rows in the publication would do nothing.
begin;
select plan(7);

create temporary view published as
select c.oid, c.relname::text as name
from pg_publication_rel as r
join pg_publication as p on p.oid = r.prpubid
join pg_class as c on c.oid = r.prrelid
where p.pubname = 'supabase_realtime';

select set_eq(
  'select name from published',
  array[
    'runs', 'dramas', 'episodes', 'scenes', 'tasks', 'users', 'notifications', 'plans', 'tools',
    'hairstyles', 'colors', 'orders', 'generations'
  ],
  'publishes runs, the work of users, their balance, notifications and orders, and the catalogue'
);
select is_empty(
  $$
    select r.prrelid::regclass
    from pg_publication_rel as r
    where r.prattrs is not null or r.prqual is not null
  $$,
  'has no list of columns and no filter of rows, because Realtime ignores both'
);
select is_empty(
  $$
    select p.name from published as p
    where not exists (
      select from pg_index as i where i.indrelid = p.oid and i.indisprimary
    )
  $$,
  'publishes only tables with a primary key, because Realtime finds rows by it'
);
select is_empty(
  $$
    select p.name, a.attname, format_type(a.atttypid, a.atttypmod)
    from published as p
    join pg_index as i on i.indrelid = p.oid and i.indisprimary
    join pg_attribute as a on a.attrelid = p.oid and a.attnum = any (i.indkey)
    where a.atttypid <> 'uuid'::regtype
      and p.name <> 'plans'
  $$,
  'publishes only tables whose primary key is a UUID or public, because every subscriber gets it'
);
select is_empty(
  $$
    select p.name from published as p
    join pg_class as c on c.oid = p.oid
    where c.relreplident <> 'd'
  $$,
  'sends no more than the primary key of a deleted row'
);
select is_empty(
  $$
    select p.name from published as p
    where not exists (
      select from pg_policy as q
      where q.polrelid = p.oid and q.polcmd = 'r' and q.polpermissive
    )
  $$,
  'publishes only tables whose policies say who sees a row'
);

-- The columns that Realtime sends to a signed-in user. Another column is a decision: is it small,
-- and is it for clients?
select set_eq(
  $$
    select
      p.name,
      string_agg(a.attname, ' ' order by a.attname collate "C")
        filter (where has_column_privilege('authenticated', p.oid, a.attnum, 'select')) as sent,
      string_agg(a.attname, ' ' order by a.attname collate "C")
        filter (where not has_column_privilege('authenticated', p.oid, a.attnum, 'select')) as kept
    from published as p
    join pg_attribute as a on a.attrelid = p.oid and a.attnum > 0 and not a.attisdropped
    where p.name in ('runs', 'dramas', 'episodes', 'scenes', 'tasks', 'users', 'notifications')
    group by p.name
  $$,
  $$
    values
      (
        'runs',
        'created_at id job_id label owner_id progress status steps_done steps_failed steps_open '
        'type updated_at',
        null
      ),
      (
        'dramas',
        'cover_url created_at external_id genre id idempotency_key language logline model '
        'options owner_id premise run_id style title updated_at',
        null
      ),
      (
        'episodes',
        'created_at drama_id id owner_id position summary title updated_at',
        null
      ),
      (
        'scenes',
        'audio_url character_ids created_at drama_id episode_id id image_job_id image_url owner_id '
        'position summary text title updated_at video_job_id video_url',
        null
      ),
      (
        'tasks',
        'correlation_id created_at error id mandate max_ticks result run_id status tick updated_at '
        'usage user_id',
        null
      ),
      (
        'users',
        'created_at credits credits_held credits_owed id plan_ends_at plan_id updated_at',
        null
      ),
      ('notifications', 'body created_at data id kind read_at title user_id', null)
  $$,
  'sends exactly the columns that are small and meant for clients'
);

select * from finish();
rollback;
