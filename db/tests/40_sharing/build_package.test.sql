-- The packages of resources that were inserted directly.
begin;
select plan(5);
select tests.create_asset(format('a000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 3) as n;

-- Given a flow with nodes, cards and a session, which anon inserted and shared
select tests.become('anon');
insert into public.flows (id, name, description, nodes, edges, response_template)
values ('f0000000-0000-4000-8000-000000000001', 'F', 'd', '[{"id": "n"}]', '[]', '"t"');
insert into public.agents (flow_id, id, name, temperature)
values ('f0000000-0000-4000-8000-000000000001', 'a1', 'One', 0.7);
insert into public.data_store_nodes (flow_id, id, name, color, data_store_fields)
values ('f0000000-0000-4000-8000-000000000001', 'd1', 'Store', 'red', '[]');
insert into public.if_nodes (flow_id, id, name, conditions)
values ('f0000000-0000-4000-8000-000000000001', 'i1', 'If', '[]');
insert into public.characters (id, name, icon_asset_id)
values ('c0000000-0000-4000-8000-000000000001', 'Ana', 'a0000001-0000-4000-8000-000000000000');
insert into public.scenarios (id, name) values ('c0000000-0000-4000-8000-000000000002', 'Storm');
insert into public.sessions (id, title, all_cards, background_id)
values (
  'c0000000-0000-4000-8000-000000000003',
  'Evening',
  '[
    {"icon_asset_id": "a0000003-0000-4000-8000-000000000000"},
    {"icon_asset_id": "a0000003-0000-4000-8000-000000000000"}, {"icon_asset_id": null}, {}
  ]',
  'a0000002-0000-4000-8000-000000000000'
);
insert into public.shared_resources (id, resource_type, resource_id)
values
  (
    'd0000000-0000-4000-8000-000000000001', 'card_character',
    'c0000000-0000-4000-8000-000000000001'
  ),
  (
    'd0000000-0000-4000-8000-000000000002', 'card_scenario', 'c0000000-0000-4000-8000-000000000002'
  ),
  ('d0000000-0000-4000-8000-000000000003', 'session', 'c0000000-0000-4000-8000-000000000003'),
  ('d0000000-0000-4000-8000-000000000004', 'flow', 'f0000000-0000-4000-8000-000000000001');

select is(
  public.get_shared_resource('d0000000-0000-4000-8000-000000000004')::jsonb,
  '{
    "name": "F", "description": "d", "nodes": [{"id": "n"}], "edges": [], "responseTemplate": "t",
    "agents": {"a1": {"name": "One", "promptMessages": null, "modelTier": null,
      "temperature": 0.7, "maxTokens": null, "topP": null, "frequencyPenalty": null,
      "presencePenalty": null, "responseFormat": null}},
    "dataStoreNodes": {"d1": {"name": "Store", "color": "red", "dataStoreFields": []}},
    "ifNodes": {"i1": {"name": "If", "conditions": []}}
  }',
  'a flow opens in the enhanced format'
);
select is(
  public.get_shared_resource('d0000000-0000-4000-8000-000000000001') #>> '{data,name}', 'Ana',
  'a character opens as Character Card V2'
);
select is(
  public.get_shared_resource('d0000000-0000-4000-8000-000000000001')
    #>> '{data,extensions,icon_url}',
  'https://cdn/shared-assets/a0000001-0000-4000-8000-000000000000/f.png',
  'a character opens with the URL of its icon'
);
select is(
  public.get_shared_resource('d0000000-0000-4000-8000-000000000002') #>> '{data,name}', 'Storm',
  'a scenario opens as Character Card V2'
);
select is(
  (public.get_shared_resource('d0000000-0000-4000-8000-000000000003')::jsonb)
    - '{translation, chat_styles, turn_ids, user_character_card_id, flow_id, cover_id}'::text[],
  '{
    "title": "Evening", "background_id": "a0000002-0000-4000-8000-000000000000", "flow": null,
    "background_url": "https://cdn/shared-assets/a0000002-0000-4000-8000-000000000000/f.png",
    "cover_url": null,
    "all_cards": [
      {
        "icon_asset_id": "a0000003-0000-4000-8000-000000000000",
        "icon_url": "https://cdn/shared-assets/a0000003-0000-4000-8000-000000000000/f.png"
      },
      {
        "icon_asset_id": "a0000003-0000-4000-8000-000000000000",
        "icon_url": "https://cdn/shared-assets/a0000003-0000-4000-8000-000000000000/f.png"
      },
      {"icon_asset_id": null, "icon_url": null}, {"icon_url": null}
    ]
  }',
  'a session opens with the URL of each asset'
);

select * from finish();
rollback;
