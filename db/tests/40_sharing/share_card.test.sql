begin;
select plan(9);
select tests.create_asset('a0000001-0000-4000-8000-000000000000');
create function pg_temp.card(name text) returns json language sql as $$
  select json_build_object(
    'spec', 'chara_card_v2', 'spec_version', '2.0', 'data', json_build_object('name', card.name)
  )
$$;
grant execute on function pg_temp.card(text) to public;

-- When the clock of the rules is two days ahead
select tests.travel('2 days');
select tests.become('anon');
select is(
  (
    select l.expires_at
    from public.share_card(
      card => pg_temp.card('Ana'),
      icon_asset_id => 'a0000001-0000-4000-8000-000000000000',
      share_id => '11111111-1111-4111-8111-111111111111',
      visibility => 'public'
    ) as l
  ),
  now() + interval '2 days 1 hour',
  'a card expires an hour from app.now()'
);
select results_eq(
  $$
    select
      (e.extensions ->> 'createdAt')::timestamptz,
      (e.extensions ->> 'updatedAt')::timestamptz
    from (
      select public.get_shared_resource('11111111-1111-4111-8111-111111111111')
        #> '{data,extensions}' as extensions
    ) as e
  $$,
  $$ values (now() + interval '2 days', now() + interval '2 days') $$,
  'createdAt and updatedAt of the package are app.now()'
);
select results_eq(
  'select sealed_at, created_at, updated_at from public.characters',
  $$ select d.at, d.at, d.at from (values (now() + interval '2 days')) as d (at) $$,
  'the row has the same times as the package'
);

select lives_ok(
  $$
    select public.share_card(
      card => pg_temp.card('Storm'), kind => 'scenario', visibility => 'public',
      share_id => '22222222-1111-4111-8111-111111111111'
    )
  $$,
  'given: a scenario is shared'
);
select is(
  public.get_shared_resource('22222222-1111-4111-8111-111111111111')
    #>> '{data,extensions,createdAt}',
  (select to_json(created_at) #>> '{}' from public.scenarios),
  'the row of a scenario has the time of the package'
);

-- When the card is too large
reset role;
select throws_ok(
  $$
    select public.share_card(
      card => pg_temp.card(repeat('x', app.get_share_limit('package_bytes'))),
      share_id => gen_random_uuid()
    )
  $$,
  'PT413', 'A shared package may have at most 5 MiB.', 'refuses a card that is too large'
);

-- When a card has fields of one name, or a list that is text
select is(
  app.parse_card(format(
    '{"data": {"name": "a", "character_book": {"entries": [{%s, "key": "last"}]}}}',
    (select string_agg(format('"key": "%s"', n), ', ') from generate_series(1, 5000) as n)
  )::json) #>> '{data,character_book,entries}',
  '[{ "keys" : ["last"], "content" : "", "enabled" : true, "extensions" : {}, '
    '"insertion_order" : 0 }]',
  'the last of several fields with the same name counts, and the others are not read'
);
select is(
  json_array_length(app.coerce_card_value(
    to_json(repeat('a,', app.get_share_limit('card_fields') - 1)), 'an array of strings', 'tags'
  )),
  app.get_share_limit('card_fields') - 1,
  'reads text as a list with as many words as a list may have'
);
select is_empty(
  $$
    select v.name
    from (
      values
        ('words', to_json(repeat('a,', app.get_share_limit('card_fields'))), 'an array of strings'),
        (
          'list of strings',
          (select json_agg(n) from generate_series(0, app.get_share_limit('card_fields')) as n),
          'an array of strings'
        ),
        (
          'list of lines',
          (select json_agg(n) from generate_series(0, app.get_share_limit('card_fields')) as n),
          'a string'
        ),
        (
          'list of fields',
          (select json_agg(n) from generate_series(0, app.get_share_limit('card_fields')) as n),
          'an object'
        ),
        (
          'map of objects',
          (
            select json_object_agg(n, '{}'::json)
            from generate_series(0, app.get_share_limit('card_fields')) as n
          ),
          'an array of objects'
        )
    ) as v (name, value, type)
    where app.coerce_card_value(v.value, v.type, 'tags') is not null
  $$,
  'does not read a value of another type that is longer than a list may be'
);

select * from finish();
rollback;
