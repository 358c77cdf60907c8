-- app.generate_drama, public.generate_drama
--
-- Called by   clients
-- Writes      dramas, drama_runs; as app.submit_run, app.reserve_media; rate_limits
-- Errors      PT401 not_signed_in, PT404 drama_not_found, owner_not_found,
--             PT409 idempotency_key_taken, storage_used_up, PT422 premise_invalid, model_unknown,
--             options_invalid, idempotency_key_invalid, PT429 rate_limited; those of
--             app.require_media and app.require_drama_room
-- Idempotent  same idempotency_key, same owner, same request: returns the first drama as it is now,
--             and changes nothing
create or replace function app.generate_drama(
  premise text,
  model text,
  options jsonb,
  idempotency_key text
)
  returns public.dramas
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_user();
  v_id uuid := gen_random_uuid();
  v_drama public.dramas;
begin
  perform app.require_writing();
  v_drama.id := v_id;
  v_drama.owner_id := v_owner_id;
  v_drama.premise := generate_drama.premise;
  v_drama.model := generate_drama.model;
  v_drama.options := generate_drama.options;
  v_drama.idempotency_key := generate_drama.idempotency_key;
  v_drama := app.start_drama_run(v_drama);
  if v_drama.id <> v_id then
    return v_drama;
  end if;

  insert into public.dramas (
    id, owner_id, premise, model, options, language, style, run_id, idempotency_key
  )
  values (
    v_drama.id, v_drama.owner_id, v_drama.premise, v_drama.model, v_drama.options, v_drama.language,
    v_drama.style, v_drama.run_id, v_drama.idempotency_key
  )
  returning * into v_drama;
  perform app.take_drama_rate();

  return v_drama;
end
$$;

comment on function app.generate_drama(text, text, jsonb, text) is
  'Inserts a drama and starts its run; see public.generate_drama.';

create or replace function public.generate_drama(
  premise text,
  model text default null,
  options jsonb default '{}',
  idempotency_key text default null
)
  returns public.dramas
  language sql
  volatile
  set search_path = ''
return app.generate_drama(premise, model, options, idempotency_key);

comment on function public.generate_drama(text, text, jsonb, text) is
$$Generates a drama: outline, characters with portraits, episodes, scenes with text and image.

premise: 1 to 10,000 characters. model: a text model of table ai_models; null: the default model.
options: { episodes (1 to 24, default 3), scenes_per_episode (1 to 30, default 4), characters (1 to
20, default 4), with_video (default false), language (default "English"), style (default ""),
image_model, video_model }. idempotency_key: 1 to 180 characters; the same key with the same request
returns the first drama as it is now, and generates nothing. The order of options, and options that
are left out or given with their default, make no difference. An insert into dramas shares the keys.
Returns the drama's row. The drama fills while its steps complete: watch dramas, episodes, scenes
and runs, or read job_tree(run_id). cancel_job(run_id) stops the run, retry_job(run_id) continues it
from its failed steps.
422 premise_invalid, model_unknown, options_invalid, idempotency_key_invalid. 404 drama_not_found:
the drama of this key was deleted. 404 owner_not_found: the user was deleted.
409 idempotency_key_taken: the key belongs to another request. 409 storage_used_up: the plan stores
no more bytes.
429 media_limit_reached: the options imply more images (characters + episodes × scenes_per_episode)
or videos (episodes × scenes_per_episode) than the plan allows today; get_media_limits returns what
is left. 429 dramas_per_day_reached, dramas_open_reached: the plan allows no more dramas today, or
at the same time. 429 media_ceiling_reached, buying_stopped, rate_limited.
From origin 002.$$;

grant execute on function app.generate_drama(text, text, jsonb, text) to anon, authenticated;
grant execute on function public.generate_drama(text, text, jsonb, text) to anon, authenticated;
