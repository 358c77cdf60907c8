-- app.list_card_fields
--
-- Why         the shape of Character Card V2 as a table. "an id" and "a position" are types of this
--             module: a value that V2 does not allow moves to the extensions of its entry
create or replace function app.list_card_fields(kind text)
  returns table (key text, type text, fallback json)
  language plpgsql
  immutable
  rows 16
  set search_path = ''
as $$
begin
  return query
  with rules (kind, key, type, fallback) as (
    values
      ('data', 'name', 'a string', null),
      ('data', 'description', 'a string', '""'),
      ('data', 'personality', 'a string', '""'),
      ('data', 'scenario', 'a string', '""'),
      ('data', 'first_mes', 'a string', '""'),
      ('data', 'mes_example', 'a string', '""'),
      ('data', 'creator_notes', 'a string', '""'),
      ('data', 'system_prompt', 'a string', '""'),
      ('data', 'post_history_instructions', 'a string', '""'),
      ('data', 'alternate_greetings', 'an array of strings', '[]'),
      ('data', 'character_book', 'an object', null),
      ('data', 'tags', 'an array of strings', '[]'),
      ('data', 'creator', 'a string', '""'),
      ('data', 'character_version', 'a string', '""'),
      ('data', 'extensions', 'an object', '{}'),
      ('book', 'name', 'a string', null),
      ('book', 'description', 'a string', null),
      ('book', 'scan_depth', 'a number', null),
      ('book', 'token_budget', 'a number', null),
      ('book', 'recursive_scanning', 'a boolean', null),
      ('book', 'extensions', 'an object', '{}'),
      ('book', 'entries', 'an array of objects', '[]'),
      ('entry', 'keys', 'an array of strings', '[]'),
      ('entry', 'content', 'a string', '""'),
      ('entry', 'extensions', 'an object', '{}'),
      ('entry', 'enabled', 'a boolean', 'true'),
      ('entry', 'insertion_order', 'a number', '0'),
      ('entry', 'case_sensitive', 'a boolean', null),
      ('entry', 'name', 'a string', null),
      ('entry', 'priority', 'a number', null),
      ('entry', 'id', 'an id', null),
      ('entry', 'comment', 'a string', null),
      ('entry', 'selective', 'a boolean', null),
      ('entry', 'secondary_keys', 'an array of strings', null),
      ('entry', 'constant', 'a boolean', null),
      ('entry', 'position', 'a position', null)
  )
  select r.key, r.type, r.fallback::json
  from rules as r
  where r.kind = list_card_fields.kind;
end
$$;

comment on function app.list_card_fields(text) is
$$Lists the fields of a part of Character Card V2.

kind: data, book or entry. fallback: the value of a field that is absent or null; null: the field is
left out.$$;
