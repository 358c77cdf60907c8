-- Comments on the tables, columns and types of this module.

comment on column app.settings.share_writes_per_minute is
  'How many shares and rows a caller may write per minute. A write counts once, and once more for '
  'each 64 KiB or 64 rows. Limit per caller: 429 rate_limited.';
comment on column app.settings.public_row_bytes_max is
  'The largest flow, card or session that can be shared as public, in bytes. A flow counts with '
  'its nodes, and each node counts 1 KiB more. Limit per share: 413 public_share_too_large.';
comment on column app.settings.public_shares_max is
  'How many live public shares a caller may have. Limit per caller: 429 too_many_public_shares.';
comment on column app.settings.anonymous_bytes_max is
  'How many bytes all callers together may store for sharing within an hour, without uploads. '
  'Limit per server: 503 store_full.';

comment on table public.shared_resources is
$$Shares. Each opens one sealed resource for an hour at most, by its id.

Open a share with get_shared_resource. Clients can select a public share until it expires.$$;
comment on column public.shared_resources.id is
  'A UUID that the client makes; anyone who knows it can open the share.';
comment on column public.shared_resources.resource_type is
$$The table of resource_id.

flow (flows), card_character (characters), card_scenario (scenarios) or session (sessions).$$;
comment on column public.shared_resources.resource_id is
  'Id of the shared row. A resource can be shared once.';
comment on column public.shared_resources.expires_at is
$$Time at which the share expires, by the clock of the server.

An hour from now at most. A missing time, or a time in the past, becomes an hour from now.$$;
comment on column public.shared_resources.visibility is
$$unlisted (default) or public.

unlisted: only the id opens the share. public: everybody can also select the share and its
resource.$$;
comment on column public.shared_resources.created_at is 'Time at which the share was made.';

comment on table app.share_packages is
$$The documents that get_shared_resource returns.

A package is built once, when its share is made. Packages have their own table, so that rows of
shared_resources stay narrow and clients may select all of its columns.$$;
comment on column app.share_packages.share_id is 'The share that the package belongs to.';
comment on column app.share_packages.package is 'The document, as text that is sent unchanged.';
comment on column app.share_packages.request_hash is
$$Hash of the request that made the share, to recognize a repeated request.

Null if a client inserted the share directly.$$;

comment on column app.share_packages.caller_hash is
$$Hash of the caller of a public share, to count the caller's live public shares.

From app.hash_caller. Deleted with the share. Null for an unlisted share, and for service_role.$$;
comment on column app.share_packages.counted_until is
  'Time until which the share counts for caller_hash; null if caller_hash is.';

comment on column app.share_packages.revoke_hash is
  'SHA-256 of the token with which revoke_share deletes the share; null without a token.';
comment on column app.share_packages.owner_id is
  'The signed-in user who made the share; null for other callers.';

comment on column app.share_packages.title is
  'Title for link previews, from app.describe_package, or null.';
comment on column app.share_packages.icon_url is
  'Icon for link previews, from app.describe_package, or null.';

comment on table app.anonymous_bytes is
$$Bytes that clients stored for sharing, in periods of ten minutes.

Several rows of one period add up: each transaction updates a row that no other one has locked.$$;
comment on column app.anonymous_bytes.expires_at is
  'Time at which the bytes stop counting: an hour after they were stored, rounded up.';
comment on column app.anonymous_bytes.bytes is 'How many bytes.';

comment on table public.flows is
$$Flows to share. Insert a flow, then its nodes, then a row of shared_resources.

share_flow does the same in one request. A flow that is not shared within an hour is deleted.$$;
comment on column public.flows.id is 'A UUID that the client makes.';
comment on column public.flows.name is 'Name of the flow.';
comment on column public.flows.description is 'Description of the flow.';
comment on column public.flows.nodes is 'Nodes of the editor, as the client has them.';
comment on column public.flows.edges is 'Edges of the editor, as the client has them.';
comment on column public.flows.response_template is 'Template of the response.';
comment on column public.flows.sealed_at is
  'Time at which the flow was shared. A sealed flow and its nodes cannot change; null until then.';
comment on column public.flows.created_at is 'Time at which the flow was inserted.';
comment on column public.flows.size_bytes is
  'Bytes that the flow adds to its package, approximately.';

comment on table public.agents is
$$Agents of flows.

The key is (flow_id, id), because clients choose the ids of nodes and may share the same flow
twice.$$;
comment on column public.agents.flow_id is 'The flow that the agent belongs to.';
comment on column public.agents.id is 'Id of the node in its flow.';
comment on column public.agents.prompt_messages is
  'Messages of the prompt, as the client has them.';
comment on column public.agents.response_format is 'Format of the response, as the client has it.';
comment on column public.agents.size_bytes is
  'Bytes that the agent adds to its package, approximately.';

comment on table public.data_store_nodes is 'Data stores of flows.';
comment on column public.data_store_nodes.flow_id is 'The flow that the data store belongs to.';
comment on column public.data_store_nodes.id is 'Id of the node in its flow.';
comment on column public.data_store_nodes.data_store_fields is
  'Fields of the data store, as the client has them.';
comment on column public.data_store_nodes.size_bytes is
  'Bytes that the data store adds to its package, approximately.';

comment on table public.if_nodes is 'If-nodes of flows.';
comment on column public.if_nodes.flow_id is 'The flow that the if-node belongs to.';
comment on column public.if_nodes.id is 'Id of the node in its flow.';
comment on column public.if_nodes.conditions is
  'Conditions of the if-node, as the client has them.';
comment on column public.if_nodes.size_bytes is
  'Bytes that the if-node adds to its package, approximately.';

comment on table public.characters is
$$Character cards to share. Insert a card, then a row of shared_resources.

share_card does the same in one request. A card that is not shared within an hour is deleted.$$;
comment on column public.characters.id is 'A UUID that the client makes.';
comment on column public.characters.title is 'Opens as data.extensions.title of Character Card V2.';
comment on column public.characters.example_dialogue is
  'Opens as data.mes_example of Character Card V2.';
comment on column public.characters.lorebook is 'A character book of Character Card V2.';
comment on column public.characters.tags is 'An array of strings.';
comment on column public.characters.version is
  'Opens as data.character_version of Character Card V2.';
comment on column public.characters.card_summary is
  'Opens as data.creator_notes of Character Card V2.';
comment on column public.characters.conceptual_origin is
  'Opens as data.extensions.conceptualOrigin of Character Card V2.';
comment on column public.characters.icon_asset_id is
  'The assetId of the answer of POST /api/assets, or null.';
comment on column public.characters.sealed_at is
  'Time at which the card was shared. A sealed card cannot change; null until then.';
comment on column public.characters.created_at is 'Time at which the card was inserted.';
comment on column public.characters.updated_at is 'Time of the last change.';
comment on column public.characters.size_bytes is
  'Bytes that the card adds to its package, approximately.';

comment on table public.scenarios is
$$Scenario cards to share. Insert a card, then a row of shared_resources.

share_card does the same in one request. A card that is not shared within an hour is deleted.$$;
comment on column public.scenarios.id is 'A UUID that the client makes.';
comment on column public.scenarios.title is 'Opens as data.extensions.title of Character Card V2.';
comment on column public.scenarios.first_messages is
$$An array of strings, or of objects with a description.

The first opens as data.first_mes of Character Card V2, the others as data.alternate_greetings.$$;
comment on column public.scenarios.lorebook is 'A character book of Character Card V2.';
comment on column public.scenarios.tags is 'An array of strings.';
comment on column public.scenarios.version is
  'Opens as data.character_version of Character Card V2.';
comment on column public.scenarios.card_summary is
  'Opens as data.creator_notes of Character Card V2.';
comment on column public.scenarios.conceptual_origin is
  'Opens as data.extensions.conceptualOrigin of Character Card V2.';
comment on column public.scenarios.icon_asset_id is
  'The assetId of the answer of POST /api/assets, or null.';
comment on column public.scenarios.sealed_at is
  'Time at which the card was shared. A sealed card cannot change; null until then.';
comment on column public.scenarios.created_at is 'Time at which the card was inserted.';
comment on column public.scenarios.updated_at is 'Time of the last change.';
comment on column public.scenarios.size_bytes is
  'Bytes that the card adds to its package, approximately.';

comment on table public.sessions is
$$Sessions to share. Insert a session, then a row of shared_resources.

share_session does the same in one request. A session that is not shared within an hour is
deleted.$$;
comment on column public.sessions.id is 'A UUID that the client makes.';
comment on column public.sessions.all_cards is
$$An array of cards, as the client has them.

icon_asset_id of a card is the assetId of the answer of POST /api/assets, or null.$$;
comment on column public.sessions.user_character_card_id is 'An id of the client''s own.';
comment on column public.sessions.turn_ids is 'An array of ids of the client''s own.';
comment on column public.sessions.background_id is
  'The assetId of the answer of POST /api/assets, or null.';
comment on column public.sessions.cover_id is
  'The assetId of the answer of POST /api/assets, or null.';
comment on column public.sessions.translation is 'Any JSON, as the client has it.';
comment on column public.sessions.chat_styles is 'Any JSON, as the client has it.';
comment on column public.sessions.flow_id is
$$An id of the client's own.

If flow_id is the id of a flow whose share is alive, that flow is in the session's package.$$;
comment on column public.sessions.sealed_at is
  'Time at which the session was shared. A sealed session cannot change; null until then.';
comment on column public.sessions.created_at is 'Time at which the session was inserted.';
comment on column public.sessions.updated_at is 'Time of the last change.';
comment on column public.sessions.size_bytes is
  'Bytes that the session adds to its package, approximately.';

comment on table app.session_icons is
$$Icons inside all_cards of sessions.

The foreign key to assets keeps the worker from deleting an icon while a session shows it.$$;
comment on column app.session_icons.session_id is 'The session that shows the icon.';
comment on column app.session_icons.asset_id is 'The icon.';

comment on type public.own_share is
  'A live share of the signed-in user, with the URL of the page that shows it.';
comment on column public.own_share.share_id is 'The id, with which anyone can open the share.';
comment on column public.own_share.url is 'The page that shows the share.';
comment on column public.own_share.resource_type is
  'flow, card_character, card_scenario or session.';
comment on column public.own_share.visibility is 'unlisted or public.';
comment on column public.own_share.created_at is 'The time at which the share was made.';
comment on column public.own_share.expires_at is 'The time at which the share expires.';
comment on type public.share_description is
  'A live share, with its title and its icon, and the URL of the page that shows it.';
comment on column public.share_description.share_id is
  'The id, with which anyone can open the share.';
comment on column public.share_description.type is 'flow, card or session.';
comment on column public.share_description.kind is
  'The kind of a card: character or scenario. Null for a flow or a session.';
comment on column public.share_description.title is
  'The name of a flow, the title of a session, or the title or name of a card. At most 300 '
  'characters in one line. Null if it is blank.';
comment on column public.share_description.icon_url is
  'The icon of a card; of a session the cover, the first icon of a card, or the background. Null '
  'if the resource has none.';
comment on column public.share_description.url is 'The page that shows the share.';
comment on column public.share_description.created_at is 'The time at which the share was made.';
comment on column public.share_description.expires_at is 'The time at which the share expires.';
comment on type public.share_link is
$$A share: its id, the URL of the page that shows it, and the time at which it expires.$$;
comment on column public.share_link.share_id is 'The id of the request.';
comment on column public.share_link.url is 'The page that shows the share.';
comment on column public.share_link.expires_at is 'The time at which the share expires.';
