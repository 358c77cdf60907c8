-- Functions and triggers of assets and sharing got names that say what they do: the old ones go.
set local lock_timeout = '5s';

drop trigger if exists _100_require_open_flows on public.agents;
drop trigger if exists _100_require_open_flows on public.data_store_nodes;
drop trigger if exists _100_require_open_flows on public.if_nodes;
drop function if exists app.tg__require_open_flows();

drop trigger if exists _100_require_icons on public.characters;
drop trigger if exists _100_require_icons on public.scenarios;
drop function if exists app.tg__require_icons();
drop function if exists app.require_assets(uuid[]);

drop trigger if exists _200_take_share_rate on public.flows;
drop trigger if exists _200_take_share_rate on public.agents;
drop trigger if exists _200_take_share_rate on public.data_store_nodes;
drop trigger if exists _200_take_share_rate on public.if_nodes;
drop trigger if exists _200_take_share_rate on public.characters;
drop trigger if exists _200_take_share_rate on public.scenarios;
drop trigger if exists _200_take_share_rate on public.sessions;
drop trigger if exists _200_take_share_rate on public.shared_resources;
drop function if exists app.tg__take_share_rate();
drop function if exists app.tg_shared_resources__take_share_rate();

drop function if exists app.complete_card(json, uuid, timestamptz, timestamptz);
drop function if exists app.complete_flow(json);
drop function if exists app.complete_session(json, json);
drop function if exists app.find_icons(json);
drop function if exists app.read_card(json);
drop function if exists app.read_card_parts(json[], text, text);
drop function if exists app.read_flow(json);
drop function if exists app.read_session(json);
drop function if exists app.require_package_size(json);
drop function if exists app.require_share_id(uuid, text);
drop function if exists app.share_link(uuid);
