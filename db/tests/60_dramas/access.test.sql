-- A drama and its parts are shown to their owner only.
begin;
select plan(1);

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
