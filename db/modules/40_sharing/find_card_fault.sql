-- app.find_card_fault
--
-- Why         a session may have 1,000 cards: this is app.list_near_keys for their only known field
create or replace function app.find_card_fault(card json, number bigint)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if json_typeof(find_card_fault.card) <> 'object' then
    return format('all_cards.%s must be an object.', find_card_fault.number);
  end if;
  if not app.is_uuid(find_card_fault.card ->> 'icon_asset_id') then
    return format('all_cards.%s.icon_asset_id must be a UUID or null.', find_card_fault.number);
  end if;

  return (
    select format(
      'all_cards.%s.%s must be named icon_asset_id.', find_card_fault.number, left(k.key, 300)
    )
    from json_object_keys(find_card_fault.card) as k (key)
    where lower(translate(k.key, '_- .', '')) = 'iconassetid' and k.key <> 'icon_asset_id'
    limit 1
  );
end
$$;

comment on function app.find_card_fault(json, bigint) is
$$Describes the fault of a card of a session, or returns null.

number: the position of the card, from 0.$$;
