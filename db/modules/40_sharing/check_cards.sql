-- app.tg__check_cards
--
-- Errors      as app.build_character_package and app.build_scenario_package
-- Why         a card that cannot be shared is refused when it is inserted, where the client can
--             still correct it
create or replace function app.tg__check_cards()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  case tg_table_name
    when 'characters' then
      perform app.build_character_package(n.id) from new_rows as n;
    when 'scenarios' then
      perform app.build_scenario_package(n.id) from new_rows as n;
  end case;

  return null;
end
$$;

comment on function app.tg__check_cards() is
  'Refuses characters and scenarios from which no Character Card V2 can be built.';
