-- app.parse_drama_options
--
-- Errors      PT422 model_unknown, options_invalid
create or replace function app.parse_drama_options(options jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_options jsonb := coalesce(nullif(parse_drama_options.options, 'null'), '{}');
  v_fault text;
begin
  if jsonb_typeof(v_options) <> 'object' then
    v_fault := 'options must be a JSON object.';
  else
    v_fault := (
      select case
        when k.key is null then format(
          'Unknown option "%s". Use one of: %s.',
          left(o.key, 80),
          (select string_agg(l.key, ', ' order by l.key) from app.list_drama_options() as l)
        )
        when k.type = 'number'
          then format('Option "%s" must be a whole number from 1 to %s.', o.key, k.size)
        when k.type = 'boolean' then format('Option "%s" must be true or false.', o.key)
        else format('Option "%s" must be a text of up to %s characters.', o.key, k.size)
      end
      from jsonb_each(v_options) as o (key, value)
      left join app.list_drama_options() as k on k.key = o.key
      where k.key is null
        or k.type <> jsonb_typeof(o.value)
        or (k.type = 'string' and char_length(o.value #>> '{}') > k.size)
        or (
          k.type = 'number'
          and not coalesce(app.parse_bigint(o.value) between 1 and k.size, false)
        )
      limit 1
    );
  end if;
  if v_fault is not null then
    perform app.fail(
      422,
      'options_invalid',
      v_fault,
      'Correct the option, or leave it out to get its default.'
    );
  end if;

  return app.default_drama_options() || v_options || jsonb_build_object(
    'image_model', app.require_model('image', v_options ->> 'image_model'),
    'video_model', case
      when (v_options -> 'with_video')::boolean or v_options ? 'video_model'
        then app.require_model('video', v_options ->> 'video_model')
      -- No step calls this model: the inputs of the steps only need a name.
      else coalesce(
        (select m.name from public.ai_models as m where m.kind = 'video' and m.is_default), 'none'
      )
    end
  );
end
$$;

comment on function app.parse_drama_options(jsonb) is
  'Returns checked options of generate_drama, with defaults; 422 options_invalid, model_unknown.';
