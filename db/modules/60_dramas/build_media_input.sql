-- app.build_media_input
--
-- Errors      PT404 drama_not_found, PT422 prompt_missing, prompt_invalid, model_unknown
create or replace function app.build_media_input(
  drama public.dramas,
  target_id uuid,
  kind text,
  prompt text
)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_long constant integer := app.get_domain_limit('app.long_text');
  v_max_references constant integer := app.get_domain_limit('app.reference_list');
  v_prompt text := nullif(app.trim_text(build_media_input.prompt), '');
  v_references jsonb := '[]'::jsonb;
begin
  if char_length(v_prompt) > v_long then
    perform app.fail(
      422,
      'prompt_invalid',
      format('A prompt has at most %s characters.', v_long),
      'Shorten the prompt.'
    );
  end if;

  if build_media_input.kind = 'portrait' then
    select coalesce(
      v_prompt,
      nullif(app.trim_text(c.appearance), ''),
      nullif(app.trim_text(c.description), ''),
      app.trim_text(c.name)
    )
    into v_prompt
    from public.drama_characters as c
    where c.id = build_media_input.target_id and c.drama_id = (build_media_input.drama).id;
  else
    select
      coalesce(
        v_prompt,
        nullif(
          app.trim_text(
            case build_media_input.kind when 'video' then x.video_prompt else x.image_prompt end
          ),
          ''
        ),
        nullif(app.trim_text(s.summary), ''),
        app.trim_text(left(s.text, v_long))
      ),
      case build_media_input.kind
        when 'video' then to_jsonb(array_remove(array[s.image_url], null))
        else to_jsonb(array(
          select c.portrait_url
          from unnest(s.character_ids) with ordinality as w (id, n)
          join public.drama_characters as c on c.id = w.id
          where c.portrait_url is not null
          order by w.n
          limit v_max_references
        ))
      end
    into v_prompt, v_references
    from public.scenes as s
    left join app.scene_details as x on x.scene_id = any (array[s.id])
    where s.id = build_media_input.target_id and s.drama_id = (build_media_input.drama).id;
  end if;

  if not found then
    perform app.fail(
      404,
      'drama_not_found',
      format(
        '%s not found.',
        case build_media_input.kind when 'portrait' then 'Character' else 'Scene' end
      ),
      'Send the id of a character for kind portrait, of a scene for image and video.'
    );
  end if;
  if v_prompt = '' then
    perform app.fail(
      422,
      'prompt_missing',
      'No prompt was sent, and the character or scene has no text to draw from.',
      'Send prompt, or fill in the character or scene.'
    );
  end if;

  return jsonb_build_object(
    'prompt', v_prompt,
    'references', v_references,
    'drama_id', (build_media_input.drama).id,
    'target_id', build_media_input.target_id,
    'kind', build_media_input.kind,
    'language', (build_media_input.drama).language,
    'style', (build_media_input.drama).style,
    'model', app.find_media_model(build_media_input.kind, (build_media_input.drama).options)
  );
end
$$;

comment on function app.build_media_input(public.dramas, uuid, text, text) is
$$Builds the input of a generate_image or generate_video step from a character or a scene.

target_id: a character for kind portrait, a scene for image and video. prompt: replaces the text of
the character or scene; null keeps that text. 404 drama_not_found, 422 prompt_missing,
prompt_invalid, model_unknown.$$;
