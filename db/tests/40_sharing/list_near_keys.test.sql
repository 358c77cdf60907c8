-- A field whose name is nearly right would be kept where no reader looks for it.
begin;
select plan(41);
create function pg_temp.flow(field text) returns json language sql
return format('{"name": "n", "nodes": [], "edges": [], %s}', field)::json;
grant execute on function pg_temp.flow to public;
select tests.become('anon');

-- Each known name of a flow, in other spellings
select throws_ok(
  format('select public.share_flow(pg_temp.flow(%L), gen_random_uuid())', k.field),
  'PT422', k.message, format('refuses %s', k.field)
)
from (
  values
    ('"response_template": "t"', 'response_template must be named responseTemplate.'),
    ('"ResponseTemplate": "t"', 'ResponseTemplate must be named responseTemplate.'),
    ('"response-template": "t"', 'response-template must be named responseTemplate.'),
    ('"responsetemplate": null', 'responsetemplate must be named responseTemplate.'),
    ('"data_store_nodes": {}', 'data_store_nodes must be named dataStoreNodes.'),
    ('"DATA_STORE_NODES": {}', 'DATA_STORE_NODES must be named dataStoreNodes.'),
    ('"datastoreNodes": {}', 'datastoreNodes must be named dataStoreNodes.'),
    ('"if_nodes": {}', 'if_nodes must be named ifNodes.'),
    ('"IfNodes": {}', 'IfNodes must be named ifNodes.'),
    ('"Agents": {}', 'Agents must be named agents.'),
    ('"Description": "d"', 'Description must be named description.'),
    ('"version": 3, "if_nodes": {}', 'if_nodes must be named ifNodes.'),
    ('"agents": {"a": {"max_tokens": 5}}', 'agents.a.max_tokens must be named maxTokens.'),
    ('"agents": {"a": {"MaxTokens": 5}}', 'agents.a.MaxTokens must be named maxTokens.'),
    (
      '"agents": {"a": {}, "b": {"prompt_messages": []}}',
      'agents.b.prompt_messages must be named promptMessages.'
    ),
    ('"agents": {"a": {"top_p": 1}}', 'agents.a.top_p must be named topP.'),
    (
      '"dataStoreNodes": {"d": {"data_store_fields": []}}',
      'dataStoreNodes.d.data_store_fields must be named dataStoreFields.'
    ),
    ('"ifNodes": {"i": {"Conditions": []}}', 'ifNodes.i.Conditions must be named conditions.')
) as k (field, message);
select throws_ok(
  $$ select public.share_flow('{"Name": "n", "nodes": [], "edges": []}', gen_random_uuid()) $$,
  'PT422', 'Name must be named name.', 'names the right name of a required field'
);
select throws_ok(
  $$
    select public.share_session('{"title": "t"}', pg_temp.flow('"if_nodes": {}'), gen_random_uuid())
  $$,
  'PT422', 'if_nodes must be named ifNodes.', 'refuses the same in the flow of a session'
);

-- Names that are not near
select lives_ok(
  format('select public.share_flow(pg_temp.flow(%L), gen_random_uuid())', k.field),
  format('accepts %s', k.field)
)
from (
  values
    ('"version": 3, "response": "t", "template": "t", "": 1'),
    ('"agents": {"max_tokens": {"tokens": 5, "color": "red"}}'),
    ('"dataStoreNodes": {"d": {"conditions": [], "temperature": 1}}'),
    ('"nodes": [{"response_template": 1}]')
) as k (field);

-- Each known name of a session
select throws_ok(
  format('select public.share_session(%L, share_id => gen_random_uuid())', k.session),
  'PT422', k.message, format('refuses %s', k.session)
)
from (
  values
    ('{"title": "t", "allCards": []}', 'allCards must be named all_cards.'),
    ('{"title": "t", "AllCards": []}', 'AllCards must be named all_cards.'),
    ('{"title": "t", "allcards": []}', 'allcards must be named all_cards.'),
    (
      '{"title": "t", "userCharacterCardId": "x"}',
      'userCharacterCardId must be named user_character_card_id.'
    ),
    ('{"Title": "t"}', 'Title must be named title.'),
    ('{"title": "t", "turnIds": []}', 'turnIds must be named turn_ids.'),
    ('{"title": "t", "chatStyles": {}}', 'chatStyles must be named chat_styles.'),
    ('{"title": "t", "backgroundId": null}', 'backgroundId must be named background_id.'),
    (
      '{"all_cards": [{}, {"iconAssetId": null}]}',
      'all_cards.1.iconAssetId must be named icon_asset_id.'
    )
) as k (session, message);
select throws_ok(
  $$
    insert into public.sessions (id, all_cards)
    values (gen_random_uuid(), '[{"name": "a"}, {"icon_asset-id": null}]')
  $$,
  'PT422', 'all_cards.1.icon_asset-id must be named icon_asset_id.',
  'refuses the same in a direct insert'
);

-- An empty session
select throws_ok(
  format('select public.share_session(%L, share_id => gen_random_uuid())', s.session),
  'PT422', 'session must have a title, a card, or another field that is not empty.',
  format('refuses the session %s', s.session)
)
from (
  values
    ('{}'), ('{"title": null, "all_cards": [ ]}'), ('{"title": " ", "translation": {}}')
) as s (session);
select throws_ok(
  $$ insert into public.sessions (id, title, translation) values (gen_random_uuid(), '', '{}') $$,
  'PT422', 'A session must have a title, a card, or another field that is not empty.',
  'refuses an empty session that is inserted'
);
select lives_ok(
  $$
    insert into public.sessions (id, title, chat_styles)
    values (gen_random_uuid(), null, '{"a": 1}'), (gen_random_uuid(), 'Night', null)
  $$,
  'accepts sessions that have something'
);
select lives_ok(
  $$
    select
      public.share_session('{"all_cards": [{}]}', share_id => gen_random_uuid()),
      public.share_session('{"version": 3}', share_id => gen_random_uuid())
  $$,
  'accepts a session without a title that has a card or an unknown field'
);
select lives_ok(
  $$
    select public.share_session(
      (
        '{"title": "t", "cover_url": null, "flow": null, "all_cards": [{"icon_url": null}], '
        '"updatedAt": 1}'
      )::json,
      share_id => gen_random_uuid()
    )
  $$,
  'a package of a session can be shared again'
);

select * from finish();
rollback;
