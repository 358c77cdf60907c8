-- app.parse_session
--
-- Errors      PT413 package_too_large, PT422 session_invalid, PT429 rate_limited
-- Locks       the caller (advisory), for a large session
create or replace function app.parse_session(session json)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_bytes integer := octet_length(parse_session.session::text);
  v_fault text;
  v_keys text[];
begin
  perform app.require_package_size(v_bytes);
  perform app.lock_large_package(v_bytes);

  if json_typeof(parse_session.session) is distinct from 'object' then
    perform app.fail(
      422,
      'session_invalid',
      'session must be an object.',
      'Send the session as the client stores it.'
    );
  end if;

  select format('%s must be %s.', field.key, field.expected) into v_fault
  from (
    values
      ('title', 'a string or null', array['string']),
      ('all_cards', 'an array', array['array']),
      ('user_character_card_id', 'a string or null', array['string']),
      ('turn_ids', 'an array or null', array['array']),
      ('background_id', 'a UUID or null', array['string']),
      ('cover_id', 'a UUID or null', array['string']),
      ('flow_id', 'a string or null', array['string'])
  ) as field (key, expected, types)
  where json_typeof(parse_session.session -> field.key) <> all (field.types || array['null'])
    or (
      field.key in ('background_id', 'cover_id')
      and not app.is_uuid(parse_session.session ->> field.key)
    )
  limit 1;
  if v_fault is null then
    v_keys := array(select json_object_keys(parse_session.session));
    select format('%s must be named %s.', left(k.key, 300), k.name) into v_fault
    from app.list_near_keys(v_keys, 'session') as k
    limit 1;
  end if;
  if v_fault is null and cardinality(v_keys) > app.get_share_limit('session_fields') then
    v_fault := format(
      'session may have at most %s fields.', app.get_share_limit('session_fields')
    );
  end if;
  if v_fault is null and app.is_empty_session(parse_session.session) then
    v_fault := 'session must have a title, a card, or another field that is not empty.';
  end if;
  if v_fault is not null then
    perform app.fail(
      422, 'session_invalid', v_fault, 'Send the session as the client stores it.'
    );
  end if;

  return (
    select json_object_agg(field.key, field.value order by field.position)
    from (
      select
        given.key,
        case
          when given.key = 'all_cards' and json_typeof(given.value) = 'null' then '[]'::json
          else given.value
        end as value,
        given.position
      from json_each(parse_session.session) with ordinality as given (key, value, position)
      -- app.fill_session sets these.
      where given.key not in ('background_url', 'cover_url', 'flow')
      union all
      select wanted.key, wanted.value, null
      from (
        values
          ('title', 'null'::json),
          ('all_cards', '[]'),
          ('user_character_card_id', 'null'),
          ('turn_ids', 'null'),
          ('background_id', 'null'),
          ('cover_id', 'null'),
          ('translation', 'null'),
          ('chat_styles', 'null'),
          ('flow_id', 'null')
      ) as wanted (key, value)
      where parse_session.session -> wanted.key is null
    ) as field
  );
end
$$;

comment on function app.parse_session(json) is
$$Checks a session and returns it with every column of table sessions as a key.

A missing key becomes null, all_cards becomes []. The result has no flow and no URLs.
The cards are checked by app.parse_session_cards.
413 package_too_large, 422 session_invalid (the message names the field), 429 rate_limited: another
large package of the same caller is in progress.$$;
