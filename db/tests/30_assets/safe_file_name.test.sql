begin;
select plan(3);

select results_eq(
  $$
    select app.safe_file_name(name, 'png')
    from unnest(array[
      'icon.png', 'My Icon (1).PNG', '../../etc/passwd', 'C:\Users\a\pic.jpeg', '', null, '..', '/', '.htaccess', '日本.png',
      'a.b.c.gif', '-rf', E'a\nb.png', repeat('x', 9000)
    ]) with ordinality as names (name, n)
    order by n
  $$,
  array[
    'icon.png', 'My-Icon-1.png', 'passwd.png', 'pic.png', 'file.png', 'file.png', 'file.png', 'file.png', 'file.png', 'file.png',
    'a-b-c.png', 'rf.png', 'a-b.png', repeat('x', 100) || '.png'
  ],
  'turns any name into a plain one with the extension'
);
-- Random names, each of which must fit into a key
select is_empty(
  $$
    select name
    from (
      select string_agg(chr(greatest(1, (random() * 300)::integer)), '') as name
      from generate_series(1, 200) as n
      cross join generate_series(1, 30) as m
      group by n
    ) as names
    where app.safe_file_name(name, 'gif') !~ '^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}\.gif$'
  $$,
  'a name has letters, digits, - and _, and never begins with a dot or a dash'
);
select tests.become('anon');
select throws_ok(
  $$ select app.safe_file_name('x', 'png') $$, '42501', null, 'anon cannot call app.safe_file_name'
);

select * from finish();
rollback;
