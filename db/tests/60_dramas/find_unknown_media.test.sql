begin;
select plan(4);

create temporary table users_of as select tests.create_user('ana@example.com') as ana;
grant all on users_of to public;
create function pg_temp.unknown(variadic keys text[]) returns setof text language sql as
  $$ select object_key from worker.find_unknown_media(keys) $$;

-- Given a drama with an image that a step has made, and with URLs of an older release
select tests.sign_in((select ana from users_of));
select save_drama_complete('{
  "id": "00000000-0000-4000-8000-000000000001",
  "cover_url": "https://cdn.test/drama-assets/00000000-0000-4000-8000-000000000001/cover.png",
  "characters": [{
    "portrait_url": "https://cdn.test/drama-assets/00000000-0000-4000-8000-000000000001/who.png"
  }],
  "episodes": [{"scenes": [{
    "image_url": "https://cdn.test/drama-assets/00000000-0000-4000-8000-000000000001/what.png",
    "video_url": "https://cdn.test/drama-assets/00000000-0000-4000-8000-000000000001/film.mp4"
  }]}]
}');
reset role;
insert into app.drama_media values ('00000000-0000-4000-8000-000000000001', 'made.png', 1);
-- Given a deleted drama whose objects a worker still removes
insert into app.deleted_media values ('00000000-0000-4000-8000-000000000002', now(), now());

select is_empty(
  $$
    select pg_temp.unknown(variadic array(
      select format('drama-assets/00000000-0000-4000-8000-00000000000%s', k)
      from unnest(
        '{1/made.png,1/cover.png,1/who.png,1/what.png,1/film.mp4,2/made.png}'::text[]
      ) as k
    ))
  $$,
  'returns no file that a step has made, that the drama shows, or that a removal will delete'
);
select set_eq(
  $$
    select pg_temp.unknown(
      'drama-assets/00000000-0000-4000-8000-000000000001/refused.png',
      'drama-assets/00000000-0000-4000-8000-000000000003/made.png'
    )
  $$,
  array[
    'drama-assets/00000000-0000-4000-8000-000000000001/refused.png',
    'drama-assets/00000000-0000-4000-8000-000000000003/made.png'
  ],
  'returns files whose result was refused, and files of dramas that do not exist'
);
select is_empty(
  $$
    select pg_temp.unknown(
      'drama-assets/AAAAAAAA-0000-4000-8000-000000000001/x.png',
      'drama-assets/00000000-0000-4000-8000-000000000003/x/y.png',
      'drama-assets/../x.png',
      'shared-assets/00000000-0000-4000-8000-000000000003/x.png',
      'backup/drama-assets/00000000-0000-4000-8000-000000000003/x.png',
      null
    )
  $$,
  'returns only keys that look like keys of drama media, so that no other object is ever deleted'
);
select tests.become('anon');
select throws_ok(
  $$ select worker.find_unknown_media('{}') $$, '42501', null,
  'anon cannot call worker.find_unknown_media'
);

select * from finish();
rollback;
