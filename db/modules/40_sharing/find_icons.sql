-- app.find_icons
--
-- Errors      PT422 session_invalid
create or replace function app.find_icons(all_cards json)
  returns table (number integer, card json, icon_asset_id uuid)
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_fault text;
begin
  if json_typeof(find_icons.all_cards) <> 'array' then
    perform app.fail(422, 'session_invalid', 'all_cards must be an array.', 'Send the session as the client stores it.');
  end if;
  if json_array_length(find_icons.all_cards) > 1000 then
    perform app.fail(422, 'session_invalid', 'all_cards may have 1,000 cards at most.', 'Share a smaller session.');
  end if;

  select case
    when json_typeof(c.value) <> 'object' then format('all_cards.%s must be an object.', c.position - 1)
    else format('all_cards.%s.icon_asset_id must be a UUID or null.', c.position - 1)
  end
  into v_fault
  from json_array_elements(find_icons.all_cards) with ordinality as c (value, position)
  where json_typeof(c.value) <> 'object'
    or not case json_typeof(c.value) when 'object' then coalesce(app.is_uuid(c.value ->> 'icon_asset_id'), true) end
  order by c.position
  limit 1;
  if v_fault is not null then
    perform app.fail(422, 'session_invalid', v_fault, 'Use the assetId that POST /api/assets answered.');
  end if;

  return query
  select c.position::integer, c.value, (c.value ->> 'icon_asset_id')::uuid
  from json_array_elements(find_icons.all_cards) with ordinality as c (value, position);
end
$$;

comment on function app.find_icons(json) is 'The cards of a session in their order, and the asset that is the icon of each.';
