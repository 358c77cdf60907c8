-- app.flatten_card
create or replace function app.flatten_card(card json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return app.rename_card_fields((
    select coalesce(json_object_agg(f.key, f.value order by f.position), '{}')
    from json_each(flatten_card.card) with ordinality as f (key, value, position)
    where f.key not in ('spec', 'spec_version', 'data')
  ));
end
$$;

comment on function app.flatten_card(json) is
  'Returns the fields that a card of V1 has at its top, under the names of Character Card V2.';
