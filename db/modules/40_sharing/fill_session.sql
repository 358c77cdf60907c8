-- app.fill_session
--
-- Errors      PT422 session_invalid
create or replace function app.fill_session(session json, flow json)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  return app.merge_json(
    fill_session.session,
    json_build_object(
      'all_cards', (
        select coalesce(
          json_agg(
            app.merge_json(c.card, json_build_object('icon_url', app.asset_url(c.icon_asset_id)))
            order by c.number
          ),
          '[]'
        )
        from app.parse_session_cards(fill_session.session -> 'all_cards') as c
      ),
      'background_url', app.asset_url((fill_session.session ->> 'background_id')::uuid),
      'cover_url', app.asset_url((fill_session.session ->> 'cover_id')::uuid),
      'flow', fill_session.flow
    )
  );
end
$$;

comment on function app.fill_session(json, json) is
$$Returns a session with the URLs of its assets, and its flow.

Sets icon_url in each card, background_url, cover_url, and flow, which may be null.$$;
