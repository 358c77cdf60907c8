-- app.flatten_card
--
-- Why         the fields of V1 also have the names of Pygmalion's editors (char_name) and of Agnai
--             (greeting), in whose files V1 is only one of the formats
create or replace function app.flatten_card(card json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (
    with alias (name, key) as (
      values
        ('char_name', 'name'),
        ('char_persona', 'description'),
        ('char_greeting', 'first_mes'),
        ('greeting', 'first_mes'),
        ('world_scenario', 'scenario'),
        ('example_dialogue', 'mes_example'),
        ('sampleChat', 'mes_example')
    )
    select coalesce(json_object_agg(coalesce(a.key, f.key), f.value order by f.position), '{}')
    from json_each(flatten_card.card) with ordinality as f (key, value, position)
    left join alias as a
      on a.name = f.key
      and flatten_card.card -> a.key is null
    where f.key not in ('spec', 'spec_version', 'data')
  );
end
$$;

comment on function app.flatten_card(json) is
  'Returns the fields of a card of V1, which are not below data, under the names of V1.';
