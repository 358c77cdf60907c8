-- app.has_form
--
-- Why         a domain is asked by a cast, which raises check_violation: pg_input_is_valid is
--             younger than Postgres 15
create or replace function app.has_form(value json, form text)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_type text := json_typeof(has_form.value);
  v_text text := case json_typeof(has_form.value) when 'string' then has_form.value #>> '{}' end;
begin
  return coalesce(
    case has_form.form
      when 'tiny_text' then v_text::app.tiny_text is not null
      when 'label_text' then v_text::app.label_text is not null
      when 'short_text' then v_text::app.short_text is not null
      when 'medium_text' then v_text::app.medium_text is not null
      when 'long_text' then v_text::app.long_text is not null
      when 'huge_text' then v_text::app.huge_text is not null
      when 'http_url' then v_type = 'null' or v_text::app.http_url is not null
      when 'external_id' then v_type = 'null' or v_text::app.external_id is not null
      when 'extra' then v_type = 'object' and has_form.value::app.extra is not null
      when 'character_list' then
        v_type = 'array' and has_form.value::app.character_list is not null
      when 'episode_list' then v_type = 'array' and has_form.value::app.episode_list is not null
      when 'scene_list' then v_type = 'array' and has_form.value::app.scene_list is not null
      when 'character_ids' then
        case v_type
          when 'array' then (
            select
              coalesce(bool_and(json_typeof(i.id) = 'string' and app.is_uuid(i.id #>> '{}')), true)
              -- An array of as many elements: their values don't matter for the limit.
              and coalesce(array_agg(null::uuid), '{}')::app.character_ids is not null
            from json_array_elements(has_form.value) as i (id)
          )
        end
      when 'id' then app.is_uuid(v_text)
      when 'time' then v_type = 'null' or app.is_time(v_text)
      when 'ignored' then true
    end,
    false
  );
exception
  when check_violation then
    return false;
end
$$;

comment on function app.has_form(json, text) is
  'Whether the value of a field has a form; form: as app.list_drama_fields lists it.';
