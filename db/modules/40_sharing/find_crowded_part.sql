-- app.find_crowded_part
--
-- Why         a card with few bytes in each field would take seconds to check
create or replace function app.find_crowded_part(card json)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_max_fields integer := app.get_share_limit('card_fields');
begin
  return (
    select format('%s may have at most %s fields or elements.', part.path, v_max_fields)
    from (
      values
        ('card', find_crowded_part.card),
        ('data', find_crowded_part.card #> '{data}'),
        ('data.extensions', find_crowded_part.card #> '{data,extensions}'),
        ('data.tags', find_crowded_part.card #> '{data,tags}'),
        ('data.alternate_greetings', find_crowded_part.card #> '{data,alternate_greetings}'),
        ('data.character_book', find_crowded_part.card #> '{data,character_book}'),
        ('data.character_book.entries', find_crowded_part.card #> '{data,character_book,entries}')
    ) as part (path, value)
    where case json_typeof(part.value)
      when 'array' then json_array_length(part.value) > v_max_fields
      when 'object' then (select count(*) from json_object_keys(part.value)) > v_max_fields
      else false
    end
    limit 1
  );
end
$$;

comment on function app.find_crowded_part(json) is
$$Finds a part of a card that has too many fields or elements.

Returns a sentence that names the part, or null.$$;
