-- app.describe_asset
--
-- Errors      PT404 drama_not_found, PT422 prompt_missing, model_unknown
create or replace function app.describe_asset(drama public.dramas, target_id uuid, kind text, prompt text)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_described jsonb;
begin
  if describe_asset.kind = 'portrait' then
    select jsonb_build_object(
      'prompt', coalesce(
        nullif(app.trim_text(left(describe_asset.prompt, 10000)), ''), nullif(app.trim_text(c.appearance), ''),
        nullif(app.trim_text(c.description), ''), app.trim_text(c.name)
      ),
      'references', '[]'::jsonb
    )
    into v_described
    from public.drama_characters as c
    where c.id = describe_asset.target_id and c.drama_id = (describe_asset.drama).id;
  else
    select jsonb_build_object(
      'prompt', coalesce(
        nullif(app.trim_text(left(describe_asset.prompt, 10000)), ''),
        nullif(app.trim_text(case describe_asset.kind when 'video' then s.video_prompt else s.image_prompt end), ''),
        nullif(app.trim_text(s.summary), ''),
        app.trim_text(left(s.text, 10000))
      ),
      'references', case describe_asset.kind
        when 'video' then to_jsonb(array_remove(array[s.image_url], null))
        else to_jsonb(array(
          select c.portrait_url
          from unnest(s.character_ids) with ordinality as w (id, n)
          join public.drama_characters as c on c.id = w.id
          where c.portrait_url is not null
          order by w.n
          limit 8
        ))
      end
    )
    into v_described
    from public.scenes as s
    where s.id = describe_asset.target_id and s.drama_id = (describe_asset.drama).id;
  end if;

  if v_described is null then
    perform app.fail(404, 'drama_not_found', 'There is no such drama, or not all that it names is its own.');
  end if;
  if v_described ->> 'prompt' = '' then
    perform app.fail(422, 'prompt_missing', 'Nothing says what is to be seen.', 'Send prompt, or fill in the scene or character.');
  end if;

  v_described := v_described || jsonb_build_object(
    'drama_id', (describe_asset.drama).id,
    'target_id', describe_asset.target_id,
    'kind', describe_asset.kind,
    'language', (describe_asset.drama).language,
    'style', (describe_asset.drama).style,
    -- What it was generated with may be gone since: then the default.
    'model', (
      select m.name
      from public.ai_models as m
      where m.kind = case describe_asset.kind when 'video' then 'video' else 'image' end
        and m.is_enabled
      order by
        m.name = (describe_asset.drama).options ->> (case describe_asset.kind when 'video' then 'video_model' else 'image_model' end) desc nulls last,
        m.is_default desc,
        m.name
      limit 1
    )
  );
  if v_described ->> 'model' is null then
    perform app.fail(
      422,
      'model_unknown',
      format('There is no %s model at the moment.', case describe_asset.kind when 'video' then 'video' else 'image' end),
      'Table ai_models lists those that can be asked for.'
    );
  end if;

  return v_described;
end
$$;

comment on function app.describe_asset(public.dramas, uuid, text, text) is
  'The input of generate_image or generate_video for what a character or a scene shows.';
