-- app.tg_shared_resources__require_known_values
--
-- Errors      PT422 resource_type_unknown, visibility_unknown
-- Why         the checks of the table refuse the same values, but their errors do not list the
--             accepted values
create or replace function app.tg_shared_resources__require_known_values()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  if new.visibility not in ('unlisted', 'public') then
    perform app.fail(
      422,
      'visibility_unknown',
      format('Unknown visibility "%s".', left(new.visibility, 50)),
      'Use unlisted or public.'
    );
  end if;

  perform app.fail(
    422,
    'resource_type_unknown',
    format('Unknown resource_type "%s".', left(new.resource_type, 50)),
    'Use flow, card_character, card_scenario or session.'
  );

  return null;
end
$$;

comment on function app.tg_shared_resources__require_known_values() is
  'Refuses a client''s share with an unknown type or visibility, and lists the known ones.';
