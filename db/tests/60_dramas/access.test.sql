-- Realtime sends the rows of a drama to its owner only, with columns that the owner may read.
begin;
select plan(3);

select set_eq(
  $$ select tablename::text from pg_publication_tables where pubname = 'supabase_realtime' $$,
  array[
    'jobs', 'dramas', 'episodes', 'scenes', 'tasks', 'users', 'notifications', 'plans', 'tools',
    'hairstyles', 'colors', 'orders', 'generations'
  ],
  'publishes the work of users, their balance, notifications and orders, and the catalogue'
);
select is_empty(
  $$
    select p.tablename, a.name
    from pg_publication_tables as p
    cross join unnest(p.attnames) as a (name)
    where p.pubname = 'supabase_realtime'
      and not has_column_privilege(
        'authenticated', format('public.%I', p.tablename)::regclass, a.name, 'select'
      )
  $$,
  'publishes only columns that their owners may read'
);
select is_empty(
  $$
    select c.relname, p.polname
    from pg_class as c
    left join pg_policy as p on p.polrelid = c.oid and p.polcmd = 'r' and p.polpermissive
    where c.relname in ('dramas', 'drama_characters', 'episodes', 'scenes')
      and c.relnamespace = 'public'::regnamespace
      and pg_get_expr(
        p.polqual, p.polrelid
      ) is distinct from '(owner_id = ( SELECT auth.uid() AS uid))'
  $$,
  'shows rows of dramas to their owner only'
);

select * from finish();
rollback;
