-- A link preview and a gallery have type, kind, title and icon of a share, and not its package.
begin;
select plan(23);
insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key)
select
  (repeat(n::text, 8) || '-0000-4000-8000-000000000000')::uuid, 'file.png', repeat(n::text, 64), 10,
  'image/png', 'https://cdn.example.com/' || k.key, k.key
from generate_series(1, 3) as n
cross join lateral format(
  'shared-assets/%s-0000-4000-8000-000000000000/file.png', repeat(n::text, 8)
) as k (key);
create function pg_temp.card(data text) returns json language sql
return format(
  '{"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Mira"%s}}', data
)::json;
create function pg_temp.describe(share_id uuid) returns text language sql
return (
  select concat_ws(
    '|', d.type, coalesce(d.kind, '-'), coalesce(d.title, '-'),
    coalesce(left(split_part(d.icon_url, '/', 5), 1), '-')
  )
  from public.describe_share(share_id) as d
);
grant execute on function pg_temp.card, pg_temp.describe to public;

-- Given shares of each type
select tests.become('anon');
select
  public.share_flow(
    '{"name": " Hello ", "nodes": [], "edges": []}', '11111111-1111-4111-8111-111111111111'
  ),
  public.share_card(
    pg_temp.card(''), '11111111-0000-4000-8000-000000000000',
    share_id => '22222222-1111-4111-8111-111111111111'
  ),
  public.share_card(
    pg_temp.card(', "extensions": {"title": "The sea"}'), null, 'scenario',
    '33333333-1111-4111-8111-111111111111'
  ),
  public.share_session(
    '{"title": "Night", "cover_id": "22222222-0000-4000-8000-000000000000",
      "all_cards": [{"icon_asset_id": "11111111-0000-4000-8000-000000000000"}]}',
    share_id => '44444444-1111-4111-8111-111111111111'
  ),
  public.share_session(
    '{"background_id": "33333333-0000-4000-8000-000000000000",
      "all_cards": [{}, {"icon_asset_id": "11111111-0000-4000-8000-000000000000"}]}',
    share_id => '55555555-1111-4111-8111-111111111111'
  ),
  public.share_session(
    '{"background_id": "33333333-0000-4000-8000-000000000000", "all_cards": [{}]}',
    share_id => '66666666-1111-4111-8111-111111111111'
  ),
  public.share_flow(
    json_build_object('name', repeat('é', 400), 'nodes', '[]'::json, 'edges', '[]'::json),
    '77777777-1111-4111-8111-111111111111'
  ),
  public.share_card(
    pg_temp.card(', "extensions": {"title": {"a": 1}}'),
    share_id => '88888888-1111-4111-8111-111111111111'
  ),
  public.share_session(
    json_build_object('title', E'One\r\n\ttwo\u202e\u2066 three\u2029'),
    share_id => 'aaaaaaaa-1111-4111-8111-111111111111'
  ),
  public.share_session(
    json_build_object('title', E'\u00a0\u200b\u202e \u2029'),
    share_id => 'bbbbbbbb-1111-4111-8111-111111111111'
  );
insert into public.scenarios (id, name, title, icon_asset_id)
values (
  'c0000000-0000-4000-8000-000000000001', 'Ana', ' ', '33333333-0000-4000-8000-000000000000'
);
insert into public.shared_resources (id, resource_type, resource_id)
values (
  '99999999-1111-4111-8111-111111111111', 'card_scenario', 'c0000000-0000-4000-8000-000000000001'
);

-- Then each has its description
select is(pg_temp.describe(s.id::uuid), s.description, s.test)
from (
  values
    ('11111111-1111-4111-8111-111111111111', 'flow|-|Hello|-', 'a flow has its name'),
    (
      '22222222-1111-4111-8111-111111111111',
      'card|character|Mira|1', 'a card has its name and its icon'
    ),
    (
      '33333333-1111-4111-8111-111111111111', 'card|scenario|The sea|-',
      'the title of a card precedes its name'
    ),
    (
      '44444444-1111-4111-8111-111111111111', 'session|-|Night|2',
      'a session has its cover'
    ),
    (
      '55555555-1111-4111-8111-111111111111', 'session|-|-|1',
      'a session without a cover has the first icon of its cards'
    ),
    (
      '66666666-1111-4111-8111-111111111111', 'session|-|-|3',
      'a session without any icon has its background'
    ),
    (
      '77777777-1111-4111-8111-111111111111', 'flow|-|' || repeat('é', 300) || '|-',
      'a long title is cut'
    ),
    (
      '88888888-1111-4111-8111-111111111111', 'card|character|Mira|-',
      'ignores a title that is not a string'
    ),
    (
      '99999999-1111-4111-8111-111111111111', 'card|scenario|Ana|3',
      'a card that was inserted directly is described, too'
    ),
    (
      'aaaaaaaa-1111-4111-8111-111111111111', 'session|-|One two  three|-',
      'a title is one line, and turns no direction'
    ),
    (
      'bbbbbbbb-1111-4111-8111-111111111111', 'session|-|-|-',
      'a title that shows nothing is null'
    )
) as s (id, description, test);
select results_eq(
  $$
    select d.share_id, d.url, d.expires_at
    from public.describe_share('11111111-1111-4111-8111-111111111111') as d
  $$,
  $$
    values (
      '11111111-1111-4111-8111-111111111111'::uuid,
      (select l.url from public.share_flow(
        '{"name": " Hello ", "nodes": [], "edges": []}', '11111111-1111-4111-8111-111111111111'
      ) as l),
      now() + interval '1 hour'
    )
  $$,
  'a description has the link and the time at which the share expires'
);
select throws_ok(
  $$ select public.describe_share('00000000-1111-4111-8111-111111111111') $$,
  'PT404', 'Share not found, or expired.', 'refuses an unknown share'
);
select throws_ok(
  'select public.describe_share(null)', 'PT404', null, 'refuses a missing share_id'
);

-- The gallery
select is(
  public.list_public_shares()::jsonb, '{"shares": [], "next": null}',
  'unlisted shares are in no gallery'
);
select
  public.share_flow(
    format('{"name": "Flow %s", "nodes": [], "edges": []}', n)::json,
    format('aaaaaaa%s-1111-4111-8111-111111111111', n)::uuid, 'public'
  ),
  public.share_session(
    format(
      '{"title": "Session %s", '
      '"all_cards": [{"icon_asset_id": "11111111-0000-4000-8000-000000000000"}]}',
      n
    )::json,
    null, format('bbbbbbb%s-1111-4111-8111-111111111111', n)::uuid, 'public'
  )
from generate_series(1, 2) as n;
reset role;
update public.shared_resources as s
set created_at = now() - interval '1 minute' * (
  case when left(s.id::text, 1) = 'a' then 1 else 2 end
)
where s.visibility = 'public';
select tests.become('anon');
select is(
  (
    select string_agg(s ->> 'title', ', ')
    from json_array_elements(public.list_public_shares() -> 'shares') as s
  ),
  'Flow 2, Flow 1, Session 2, Session 1', 'public shares are listed, the newest first'
);
select is(
  public.list_public_shares(1)::jsonb #> '{shares,0}' ->> 'type', 'flow', 'a share has its type'
);
select is(
  (
    with recursive page as (
      select public.list_public_shares(3)::jsonb as page
      union all
      select public.list_public_shares(3, p.page ->> 'next')::jsonb
      from page as p
      where p.page ->> 'next' is not null
    )
    select string_agg(
      (
        select string_agg(
          coalesce(left(split_part(e.s ->> 'icon_url', '/', 5), 1), '-'), ', ' order by e.n
        )
        from jsonb_array_elements(p.page -> 'shares') with ordinality as e (s, n)
      ),
      ' / '
    )
    from page as p
  ),
  '-, -, 1 / 1',
  'two pages have each share once, with the icons of sessions'
);
select throws_ok(
  format('select public.list_public_shares(%s)', p.parameters), 'PT422', null,
  format('refuses the page (%s)', p.parameters)
)
from (values ('0'), ('101'), ('10, ''x''')) as p (parameters);

-- When the hour is over
reset role;
update public.shared_resources as s set expires_at = now();
select tests.become('anon');
select is(
  public.list_public_shares()::jsonb, '{"shares": [], "next": null}',
  'expired shares are in no gallery'
);
select throws_ok(
  $$ select public.describe_share('11111111-1111-4111-8111-111111111111') $$,
  'PT404', 'Share not found, or expired.', 'refuses an expired share'
);

select * from finish();
rollback;
