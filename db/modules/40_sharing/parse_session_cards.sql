-- app.parse_session_cards
--
-- Errors      PT422 session_invalid
create or replace function app.parse_session_cards(all_cards json)
  returns table (number integer, card json, icon_asset_id uuid)
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_fault text;
begin
  if json_typeof(parse_session_cards.all_cards) <> 'array' then
    perform app.fail(
      422,
      'session_invalid',
      'all_cards must be an array.',
      'Send the session as the client stores it.'
    );
  end if;
  if json_array_length(parse_session_cards.all_cards) > app.get_share_limit('session_cards') then
    perform app.fail(
      422,
      'session_invalid',
      format('all_cards may have at most %s cards.', app.get_share_limit('session_cards')),
      'Share a smaller session.'
    );
  end if;

  select f.fault into v_fault
  from json_array_elements(parse_session_cards.all_cards)
    with ordinality as c (value, position)
  cross join lateral app.find_card_fault(c.value, c.position - 1) as f (fault)
  where f.fault is not null
  order by c.position
  limit 1;
  if v_fault is not null then
    perform app.fail(
      422, 'session_invalid', v_fault, 'Use the assetId of the answer of POST /api/assets.'
    );
  end if;

  return query
  select c.position::integer, c.value, (c.value ->> 'icon_asset_id')::uuid
  from json_array_elements(parse_session_cards.all_cards)
    with ordinality as c (value, position);
end
$$;

comment on function app.parse_session_cards(json) is
$$Checks the cards of a session and returns them in order, each with the id of its icon.

all_cards: as in table sessions. number begins with 1; icon_asset_id may be null.
422 session_invalid: the message names the card.$$;
