-- An asset is shown while a foreign key that forbids its deletion refers to it.
begin;
select plan(8);

-- Given tables of a module that does not exist yet
create schema gallery;
create table gallery."Wall Pictures" (
  id integer generated always as identity,
  "asset id" uuid references public.assets (id),
  frame_id uuid references public.assets (id) on delete restrict
);
create table public.viewings (asset_id uuid references public.assets (id) on delete cascade);
create table public.rooms (
  n integer,
  asset_id uuid references public.assets (id)
) partition by list (n);
create table public.first_room partition of public.rooms for values in (1);
create table public.mentions (asset_id uuid);
alter table public.assets add constraint assets_hash_and_id_are_unique unique (hash, id);
create table public.hangings (
  hash text,
  asset_id uuid,
  foreign key (hash, asset_id) references public.assets (hash, id)
);
select tests.create_asset(format('0000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 7) as n;
insert into gallery."Wall Pictures" ("asset id", frame_id)
values
  ('00000001-0000-4000-8000-000000000000', '00000002-0000-4000-8000-000000000000'),
  ('00000001-0000-4000-8000-000000000000', null);
insert into public.rooms values (1, '00000003-0000-4000-8000-000000000000');
insert into public.viewings values ('00000004-0000-4000-8000-000000000000');
insert into public.mentions values ('00000005-0000-4000-8000-000000000000');
insert into public.hangings
select a.hash, a.id from public.assets as a where a.id = '00000007-0000-4000-8000-000000000000';
-- Not a reference, because a column is null.
insert into public.hangings values (null, '00000006-0000-4000-8000-000000000000');
create function pg_temp.shown() returns setof integer language sql as $$
  select substr(shown.id::text, 8, 1)::integer
  from unnest(app.find_shown_assets(array(select a.id from public.assets as a))) as shown (id)
$$;

select set_eq(
  'select pg_temp.shown()', array[1, 2, 3, 7],
  'returns each asset once that a foreign key refers to, in any table, column or pair of columns'
);
select is(
  app.find_shown_assets(array['00000001-0000-4000-8000-000000000000']::uuid[]),
  array['00000001-0000-4000-8000-000000000000']::uuid[],
  'returns only assets of the list'
);
select is(
  app.find_shown_assets(array['00000004-0000-4000-8000-000000000000']::uuid[]), '{}'::uuid[],
  'a foreign key that cascades does not show an asset'
);
select is(
  app.find_shown_assets(array['00000005-0000-4000-8000-000000000000']::uuid[]), '{}'::uuid[],
  'a column without a foreign key does not show an asset'
);
select is(app.find_shown_assets('{}'), '{}'::uuid[], 'returns an empty list for an empty list');
select is(app.find_shown_assets(null), '{}'::uuid[], 'returns an empty list for null');

-- When the pictures are taken down
delete from gallery."Wall Pictures";
drop table public.rooms, public.hangings;
select is_empty(
  'select pg_temp.shown()', 'nothing shows an asset after its references are deleted'
);

select tests.become('anon');
select throws_ok(
  $$ select app.find_shown_assets('{}') $$, '42501', null, 'anon cannot call app.find_shown_assets'
);

select * from finish();
rollback;
