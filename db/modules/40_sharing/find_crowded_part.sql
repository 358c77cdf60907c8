-- app.find_crowded_part
--
-- Why         a hundred bytes a field can be read in no time, ten bytes a field cannot
create or replace function app.find_crowded_part(card json)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (
    select format('%s may have 10,000 fields or elements at most.', part.path)
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
      when 'array' then json_array_length(part.value) > 10000
      when 'object' then (select count(*) from json_object_keys(part.value)) > 10000
      else false
    end
    limit 1
  );
end
$$;

comment on function app.find_crowded_part(json) is 'What has too many fields or elements in a card, as a sentence; else null.';
