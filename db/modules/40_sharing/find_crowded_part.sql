-- app.find_crowded_part
--
-- Why         a card with a very large number of small fields would take seconds to check. The
--             function reads the text of the card, of data and of the book once each, because each
--             text may have 5 MiB
create or replace function app.find_crowded_part(card json)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_max_fields integer := app.get_share_limit('card_fields');
  v_card record;
  v_data record;
  v_book record;
begin
  -- The last of several fields with the same name counts, as everywhere in Postgres.
  select
    count(*) as fields,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'data'))[1] as data
  into v_card
  from json_each(
    case json_typeof(find_crowded_part.card) when 'object' then find_crowded_part.card end
  ) with ordinality as f (key, value, n);
  select
    count(*) as fields,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'extensions'))[1] as extensions,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'tags'))[1] as tags,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'alternate_greetings'))[1]
      as greetings,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'character_book'))[1] as book
  into v_data
  from json_each(case json_typeof(v_card.data) when 'object' then v_card.data end)
    with ordinality as f (key, value, n);
  select
    count(*) as fields,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'entries'))[1] as entries
  into v_book
  from json_each(case json_typeof(v_data.book) when 'object' then v_data.book end)
    with ordinality as f (key, value, n);

  return (
    select format('%s may have at most %s fields or elements.', part.path, v_max_fields)
    from (
      values
        ('card', find_crowded_part.card, v_card.fields),
        ('data', v_card.data, v_data.fields),
        ('data.extensions', v_data.extensions, null),
        ('data.tags', v_data.tags, null),
        ('data.alternate_greetings', v_data.greetings, null),
        ('data.character_book', v_data.book, v_book.fields),
        ('data.character_book.entries', v_book.entries, null)
    ) as part (path, value, fields)
    where case json_typeof(part.value)
      when 'array' then json_array_length(part.value)
      when 'object'
        then coalesce(part.fields, (select count(*) from json_object_keys(part.value)))
      else 0
    end > v_max_fields
    limit 1
  );
end
$$;

comment on function app.find_crowded_part(json) is
$$Finds a part of a card that has too many fields or elements.

Returns a sentence that names the part, or null.$$;
