-- app.find_drama_fault
--
-- Why         the tables have the same limits, but their errors name no field of the document.
--             The conditions are those of app.has_form, written out because a call for each of
--             30,000 fields would take as long as saving the drama
create or replace function app.find_drama_fault(drama json)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select
      case
        when json_typeof(p.part) is distinct from 'object'
          then format('%smust be an object', p.path)
        when f.form is null
          then format('%sunknown field "%s"', p.path, left(e.key, 80))
        else format('%s"%s" must be %s', p.path, e.key, app.describe_form(f.form))
      end
    from app.list_drama_parts(find_drama_fault.drama) as p
    cross join lateral json_each(
      case json_typeof(p.part) when 'object' then p.part else '{"": 0}' end
    ) as e (key, value)
    left join app.list_drama_fields() as f on f.kind = p.kind and f.key = e.key
    cross join lateral (
      select
        json_typeof(e.value) as type,
        case json_typeof(e.value) when 'string' then e.value #>> '{}' end as text
    ) as v
    where json_typeof(p.part) is distinct from 'object'
      or not coalesce(
        case f.form
          when 'short_text' then v.text::app.short_text is not null
          when 'long_text' then v.text::app.long_text is not null
          when 'huge_text' then v.text::app.huge_text is not null
          when 'http_url' then v.type = 'null' or v.text::app.http_url is not null
          when 'id' then app.is_uuid(v.text)
          when 'character_ids' then
            case v.type
              when 'array' then (
                select
                  coalesce(
                    bool_and(json_typeof(i.id) = 'string' and app.is_uuid(i.id #>> '{}')), true
                  )
                  and coalesce(array_agg(null::uuid), '{}')::app.character_ids is not null
                from json_array_elements(e.value) as i (id)
              )
            end
          when 'extra' then v.type = 'object' and e.value::app.extra is not null
          when 'scene_list' then v.type = 'array' and e.value::app.scene_list is not null
          when 'episode_list' then v.type = 'array' and e.value::app.episode_list is not null
          when 'character_list' then v.type = 'array' and e.value::app.character_list is not null
          when 'tiny_text' then v.text::app.tiny_text is not null
          when 'label_text' then v.text::app.label_text is not null
          when 'medium_text' then v.text::app.medium_text is not null
          when 'external_id' then v.type = 'null' or v.text::app.external_id is not null
          when 'time' then v.type = 'null' or app.is_time(v.text)
          when 'ignored' then true
        end,
        false
      )
    limit 1
  );
exception
  -- A value does not fit the domain of its field, and the error does not tell which value.
  when check_violation then
    return app.find_limit_fault(find_drama_fault.drama);
end
$$;

comment on function app.find_drama_fault(json) is
$$Returns what is wrong with a field of a drama, as half a sentence that names the field.

Null: every field is as docs/drama.schema.json describes it.$$;
