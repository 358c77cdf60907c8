-- app.build_session_package
--
-- Errors      PT422 session_invalid
create or replace function app.build_session_package(session_id uuid)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_session public.sessions;
begin
  select * into v_session
  from public.sessions as s
  where s.id = build_session_package.session_id;

  return app.fill_session(
    json_build_object(
      'title', v_session.title,
      'all_cards', v_session.all_cards,
      'user_character_card_id', v_session.user_character_card_id,
      'turn_ids', v_session.turn_ids,
      'background_id', v_session.background_id,
      'cover_id', v_session.cover_id,
      'translation', v_session.translation,
      'chat_styles', v_session.chat_styles,
      'flow_id', v_session.flow_id
    ),
    app.find_live_flow(v_session.flow_id)
  );
end
$$;

comment on function app.build_session_package(uuid) is
$$Returns a row of sessions as its package.

The keys are the names of the columns, and background_url, cover_url and flow. Each card has
icon_url.$$;
