-- app.find_media_model
--
-- Errors      PT422 model_unknown
create or replace function app.find_media_model(kind text, options jsonb)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_kind constant text := case find_media_model.kind when 'video' then 'video' else 'image' end;
  v_name text;
begin
  select m.name into v_name
  from public.ai_models as m
  where m.kind = v_kind and m.is_enabled
  order by
    -- The drama's own model first; an operator may have disabled it since.
    m.name = find_media_model.options ->> (v_kind || '_model') desc nulls last,
    m.is_default desc,
    m.name
  limit 1;
  if not found then
    perform app.fail(
      422,
      'model_unknown',
      format('No %s model is enabled.', v_kind),
      'Ask the operator to enable a model of this kind; table ai_models lists the models.'
    );
  end if;

  return v_name;
end
$$;

comment on function app.find_media_model(text, jsonb) is
$$Returns the enabled model that makes a portrait, an image or a video: the model in the options of
the drama, else the default of the kind, else the first by name. 422 model_unknown.$$;
