-- app.read_drama_options
--
-- Errors      PT422 model_unknown, options_invalid
create or replace function app.read_drama_options(options jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_options jsonb := coalesce(nullif(read_drama_options.options, 'null'), '{}');
  v_wrong text;
begin
  if jsonb_typeof(v_options) <> 'object' then
    v_wrong := 'they are no object';
  else
    v_wrong := (
      select case
        when k.said is null then format('there is none called "%s"', left(o.key, 80))
        else format('"%s" must be %s', o.key, k.said)
      end
      from jsonb_each(v_options) as o (key, value)
      left join (
        values
          ('episodes', 'number', 24, 'a number from 1 to 24'),
          ('scenes_per_episode', 'number', 30, 'a number from 1 to 30'),
          ('characters', 'number', 20, 'a number from 1 to 20'),
          ('with_video', 'boolean', null, 'true or false'),
          ('language', 'string', 100, 'a text of up to 100 characters'),
          ('style', 'string', 2000, 'a text of up to 2000 characters'),
          ('image_model', 'string', 100, 'the name of a model'),
          ('video_model', 'string', 100, 'the name of a model')
      ) as k (key, type, size, said) on k.key = o.key
      where k.type is null
        or k.type <> jsonb_typeof(o.value)
        or k.type = 'string' and char_length(o.value #>> '{}') > k.size
        or k.type = 'number' and not coalesce(app.parse_bigint(o.value) between 1 and k.size, false)
      limit 1
    );
  end if;
  if v_wrong is not null then
    perform app.fail(
      422,
      'options_invalid',
      format('The options cannot be so: %s.', v_wrong),
      'See the comment of generate_drama.'
    );
  end if;

  return jsonb_build_object(
    'episodes', 3, 'scenes_per_episode', 4, 'characters', 4, 'with_video', false, 'language', 'English', 'style', ''
  ) || v_options || jsonb_build_object(
    'image_model', app.require_model('image', v_options ->> 'image_model'),
    'video_model', case
      when (v_options -> 'with_video')::boolean or v_options ? 'video_model'
        then app.require_model('video', v_options ->> 'video_model')
      -- Nobody asks it for anything: the steps only need a name.
      else coalesce((select m.name from public.ai_models as m where m.kind = 'video' and m.is_default), 'none')
    end
  );
end
$$;

comment on function app.read_drama_options(jsonb) is 'Checked options of generate_drama, with the defaults filled in.';
