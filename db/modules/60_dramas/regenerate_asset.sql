-- app.regenerate_asset, public.regenerate_asset
--
-- Called by   the owner; service_role
-- Writes      drama_runs; portrait_job_id, image_job_id or video_job_id; as app.submit_run,
--             app.reserve_media; rate_limits
-- Errors      PT401 not_signed_in, PT404 drama_not_found, PT409 idempotency_key_taken,
--             storage_used_up, PT422 asset_kind_unknown, prompt_missing, prompt_invalid,
--             model_unknown, idempotency_key_invalid, PT429 rate_limited; those of
--             app.require_media
-- Idempotent  same idempotency_key, same owner, same request: returns the first run and changes
--             nothing
-- Locks       the owner, then a new lane, then the owner's row of media_days, then the drama, then
--             lanes
-- Why         a portrait, image or video takes only the result of the job in its *_job_id, so that
--             the last request counts, and a job of an earlier request changes nothing
create or replace function app.regenerate_asset(
  target_id uuid,
  kind text,
  prompt text,
  idempotency_key text
)
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_type text;
  v_drama public.dramas;
  v_drama_id uuid;
  v_owner_id uuid;
  v_key text;
  v_request_hash bytea;
  v_run_id bigint;
  v_images integer;
begin
  perform app.require_caller();
  perform app.require_writing();
  if regenerate_asset.kind is null
    or regenerate_asset.kind not in ('portrait', 'image', 'video')
  then
    perform app.fail(
      422,
      'asset_kind_unknown',
      format('Unknown kind "%s".', left(regenerate_asset.kind, 80)),
      'Use portrait for a character, image or video for a scene.'
    );
  end if;
  perform app.require_drama_key(regenerate_asset.idempotency_key);
  v_type := case regenerate_asset.kind when 'video' then 'generate_video' else 'generate_image' end;
  v_images := case v_type when 'generate_image' then 1 else 0 end;
  v_key := 'regenerate_asset:' || regenerate_asset.idempotency_key;

  v_drama_id := case
    when regenerate_asset.kind = 'portrait' then (
      select c.drama_id
      from public.drama_characters as c
      where c.id = regenerate_asset.target_id
    )
    else (select s.drama_id from public.scenes as s where s.id = regenerate_asset.target_id)
  end;
  select d.owner_id into v_owner_id
  from public.dramas as d
  where d.id = v_drama_id and (d.owner_id = auth.uid() or auth.role() = 'service_role');
  if not found then
    perform app.fail(
      404,
      'drama_not_found',
      format(
        '%s not found.',
        case regenerate_asset.kind when 'portrait' then 'Character' else 'Scene' end
      ),
      'Send the id of a character for kind portrait, of a scene for image and video.'
    );
  end if;
  if v_key is not null then
    v_request_hash := app.hash_request(
      'regenerate_asset',
      jsonb_build_object(
        'target_id', regenerate_asset.target_id,
        'kind', regenerate_asset.kind,
        'prompt', nullif(app.trim_text(regenerate_asset.prompt), '')
      )
    );
    v_run_id := app.find_keyed_run(v_owner_id, v_key, v_request_hash);
  end if;
  if v_run_id is null then
    -- Lock the owner and a new lane before the drama, because app.submit_keyed_run locks the owner,
    -- too, and a worker that hands in children inserts their lanes before it locks the drama.
    perform app.lock_drama_owner(v_owner_id);
    perform app.require_storage(v_owner_id, 1);
    perform app.ensure_lanes(v_owner_id, array[v_type]);
    if v_key is not null then
      -- Requests of an owner wait for each other here, so another request with this key may have
      -- been answered in between.
      perform app.lock_media_day(v_owner_id, app.utc_day());
      v_run_id := app.find_keyed_run(v_owner_id, v_key, v_request_hash);
    end if;
  end if;
  if v_run_id is null then
    perform app.require_media(v_owner_id, v_images, 1 - v_images);
    v_drama := app.lock_drama(v_drama_id);
    v_run_id := app.submit_keyed_run(
      jsonb_build_object(
        'key', regenerate_asset.kind,
        'type', v_type,
        'input', app.build_media_input(
          v_drama, regenerate_asset.target_id, regenerate_asset.kind, regenerate_asset.prompt
        )
      ),
      v_owner_id,
      v_key,
      v_request_hash
    );
  end if;
  perform app.require_media_run(v_run_id, regenerate_asset.target_id, regenerate_asset.kind);
  insert into app.drama_runs (run_id, drama_id)
  values (v_run_id, v_drama_id)
  on conflict do nothing;
  if not found then
    return v_run_id;
  end if;

  perform app.reserve_media(v_run_id, v_owner_id, v_images, 1 - v_images);
  perform app.set_media_job(regenerate_asset.target_id, regenerate_asset.kind, v_run_id);
  if auth.role() is distinct from 'service_role' then
    perform app.take_rate(
      'drama_assets',
      app.caller_key(),
      (select s.drama_assets_per_day from app.settings as s),
      interval '1 day'
    );
  end if;

  return v_run_id;
end
$$;

comment on function app.regenerate_asset(uuid, text, text, text) is
  'Starts a run that replaces one portrait, image or video; see public.regenerate_asset.';

create or replace function public.regenerate_asset(
  target_id uuid,
  kind text,
  prompt text default null,
  idempotency_key text default null
)
  returns bigint
  language sql
  volatile
  set search_path = ''
return app.regenerate_asset(target_id, kind, prompt, idempotency_key);

comment on function public.regenerate_asset(uuid, text, text, text) is
$$Generates a new portrait, image or video for a character or a scene.

The current file stays until the new file is done. target_id: a character (kind portrait) or a scene
(kind image or video). kind: the file to generate. prompt: the text to generate from, at most 10,000
characters; null: the prompt or the text of the character or scene. idempotency_key: 1 to 180
characters; the same key with the same target_id, kind and prompt returns the first run and
generates nothing.
Returns the id of the run, for job_tree, cancel_job and retry_job. The last run for a target
and kind counts.
404 drama_not_found. 409 idempotency_key_taken: the key belongs to another request or to a deleted
drama. 409 storage_used_up: the plan stores no more bytes. 422 asset_kind_unknown, prompt_missing,
prompt_invalid, model_unknown, idempotency_key_invalid. 429 media_limit_reached: the plan allows no
more images or videos today; get_media_limits returns what is left. 429 media_ceiling_reached,
buying_stopped, rate_limited. From origin 002.$$;

grant execute on function app.regenerate_asset(uuid, text, text, text)
  to anon, authenticated, service_role;
grant execute on function public.regenerate_asset(uuid, text, text, text)
  to anon, authenticated, service_role;
