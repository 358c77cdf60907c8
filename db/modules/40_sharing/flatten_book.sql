-- app.flatten_book
--
-- Why         RisuAI exports its entries as data, Backyard exports a list, and the standalone
--             lorebook of V3 is below data. The book of a card may also be a list or a map of
--             entries; app.parse_card_parts has turned each list into a map
create or replace function app.flatten_book(book json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_inner json;
begin
  if json_typeof(flatten_book.book -> 'entries') <> 'null' then
    return flatten_book.book;
  end if;

  v_inner := flatten_book.book -> 'data';
  if json_typeof(v_inner) = 'array'
    or (json_typeof(v_inner) = 'object' and v_inner -> 'entries' is not null)
  then
    return app.merge_json(
      (
        select coalesce(json_object_agg(f.key, f.value order by f.position), '{}')
        from json_each(flatten_book.book) with ordinality as f (key, value, position)
        where f.key <> 'data'
      ),
      case json_typeof(v_inner)
        when 'array' then json_build_object('entries', v_inner)
        else v_inner
      end
    );
  end if;

  if (
    select bool_and(f.key ~ '^[0-9]+$') from json_object_keys(flatten_book.book) as f (key)
  ) then
    return json_build_object('entries', flatten_book.book);
  end if;

  return flatten_book.book;
end
$$;

comment on function app.flatten_book(json) is
$$Moves the entries of a lorebook to the field entries, where Character Card V2 has them.

Returns any other object unchanged.$$;
