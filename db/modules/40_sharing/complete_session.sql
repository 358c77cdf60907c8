-- app.complete_session
--
-- Errors      PT422 session_invalid
create or replace function app.complete_session(session json, flow json)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  return app.merge_json(
    complete_session.session,
    json_build_object(
      'all_cards', (
        select coalesce(
          json_agg(
            app.merge_json(i.card, json_build_object('icon_url', app.asset_url(i.icon_asset_id))) order by i.number
          ),
          '[]'
        )
        from app.find_icons(complete_session.session -> 'all_cards') as i
      ),
      'background_url', app.asset_url((complete_session.session ->> 'background_id')::uuid),
      'cover_url', app.asset_url((complete_session.session ->> 'cover_id')::uuid),
      'flow', complete_session.flow
    )
  );
end
$$;

comment on function app.complete_session(json, json) is 'A session with the URLs of what it shows, and its flow or null.';
