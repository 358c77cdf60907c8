-- Documents may have 100 levels of arrays and objects, wherever they come from.
begin;
select plan(19);
create temporary table known as select tests.create_user('ana@example.com') as ana;
create function tests.nest(levels integer, inner_text text default '', kind text default '[]')
  returns text
  language sql
return case kind
  when '[]' then repeat('[', levels) || inner_text || repeat(']', levels)
  else repeat('{"a":', levels - 1) || '{' || inner_text || repeat('}', levels)
end;
grant execute on function tests.nest(integer, text, text) to public;

-- When Postgres counts the levels of a document
select is(
  tests.refusal_of(format('select app.%s(%L)', f.name, d.document)) ->> 'slug', d.slug,
  format('%s answers %s for %s', f.name, coalesce(d.slug, 'nothing'), d.label)
)
from (values ('require_depth'), ('require_json_depth')) as f (name)
cross join (
  values
    ('a scalar', '1', null),
    ('100 levels', tests.nest(100), null),
    ('101 levels', tests.nest(101), 'document_too_deep'),
    ('100 levels of objects', tests.nest(100, '"a": "[[{"', '{}'), null),
    ('101 levels of objects', tests.nest(101, '', '{}'), 'document_too_deep')
) as d (label, document, slug);
select is(
  tests.refusal_of(format('select app.require_json_depth(%L)', d.document)) ->> 'slug', d.slug,
  format('require_json_depth answers %s for %s', coalesce(d.slug, 'nothing'), d.label)
)
from (
  values
    (
      '100 levels that jsonb cannot hold', tests.nest(100, '"\u0000[\"[\\", [], {"[": 1e999999}'),
      'document_too_deep'
    ),
    (
      '99 levels that jsonb cannot hold', tests.nest(99, '"\u0000[\"[\\", [], {"[": 1e999999}'),
      null
    )
) as d (label, document, slug);

-- When a client sends a document that is too deep
create temporary table statements (name text, statement text);
insert into statements
values
  ('a flow', $$ share_flow(json_build_object('name', 'F', 'nodes', %1$L::json, 'edges', '[]'::json),
    gen_random_uuid()) $$),
  ('a card', $$ share_card(json_build_object('spec', 'chara_card_v2', 'spec_version', '2.0', 'data',
    json_build_object('name', 'C', 'extensions', json_build_object('a', %1$L::json))),
    share_id => gen_random_uuid()) $$),
  ('a session', $$ share_session(json_build_object('title', 'S', 'chat_styles', json_build_object(
    'a', %1$L::json)), share_id => gen_random_uuid()) $$),
  ('a drama', $$ save_drama_complete(json_build_object('extra', json_build_object(
    'a', %1$L::json))) $$),
  ('an answer', $$ answer_task(gen_random_uuid(), 1, %1$L) $$);
grant select on statements to public;
select set_config(
  'request.jwt.claims',
  json_build_object('sub', k.ana, 'role', 'authenticated', 'aud', 'authenticated')::text,
  true
)
from known as k;
select is(
  tests.refusal_of('select ' || format(s.statement, tests.nest(101))) ->> 'slug',
  'document_too_deep',
  format('refuses %s with too many levels', s.name)
)
from statements as s;
select tests.become('anon');
select is(
  tests.refusal_of(format(
    'insert into flows (id, name, nodes, edges) values (gen_random_uuid(), %L, %L, %L)',
    'F', tests.nest(d.levels), '[]'
  )) ->> 'slug',
  d.slug,
  format('answers %s for a row with %s levels', coalesce(d.slug, 'nothing'), d.levels)
)
from (values (98, null), (99, 'document_too_deep')) as d (levels, slug);
reset role;

select * from finish();
rollback;
