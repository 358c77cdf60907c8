-- app.start_drama_run
--
-- Writes      as app.submit_run, app.reserve_media, app.count_drama
-- Errors      PT404 drama_not_found, owner_not_found, PT409 idempotency_key_taken, storage_used_up,
--             PT422 premise_invalid, model_unknown, options_invalid, idempotency_key_invalid;
--             those of app.require_media and app.require_drama_room
-- Idempotent  same idempotency_key, same owner: returns the first drama, with its own id, and
--             changes nothing
-- Locks       the owner, then a new lane, then the owner's row of media_days, then lanes, as
--             app.submit_run does: call it before slow work
create or replace function app.start_drama_run(drama public.dramas)
  returns public.dramas
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_max_premise constant integer := app.get_domain_limit('app.long_text');
  v_drama public.dramas := start_drama_run.drama;
  v_known public.dramas;
  v_request_hash bytea;
  v_wanted record;
begin
  if v_drama.idempotency_key is not null then
    perform app.require_drama_key(v_drama.idempotency_key);
    v_request_hash := app.hash_drama_request(v_drama.premise, v_drama.model, v_drama.options);
    v_known := app.find_keyed_drama(v_drama.owner_id, v_drama.idempotency_key, v_request_hash);
    if v_known.id is not null then
      return v_known;
    end if;
  end if;
  if not coalesce(
    app.trim_text(v_drama.premise) <> '' and char_length(v_drama.premise) <= v_max_premise, false
  ) then
    perform app.fail(
      422,
      'premise_invalid',
      format('A premise has 1 to %s characters.', v_max_premise),
      'Describe the drama in a sentence or two.'
    );
  end if;

  perform app.lock_drama_owner(v_drama.owner_id);
  perform app.require_storage(v_drama.owner_id, 1);
  v_drama.model := app.require_model('text', nullif(v_drama.model, ''));
  v_drama.options := app.parse_drama_options(v_drama.options);
  v_drama.language := v_drama.options ->> 'language';
  v_drama.style := v_drama.options ->> 'style';

  v_wanted := app.count_wanted_media(v_drama.options);
  perform app.ensure_lanes(v_drama.owner_id, array['write_outline']);
  if v_request_hash is not null then
    -- Requests of an owner wait for each other here, so this request may be a repeated one by now.
    perform app.lock_media_day(v_drama.owner_id, app.utc_day());
    v_known := app.find_keyed_drama(v_drama.owner_id, v_drama.idempotency_key, v_request_hash);
    if v_known.id is not null then
      return v_known;
    end if;
  end if;
  perform app.require_media(v_drama.owner_id, v_wanted.images, v_wanted.videos);
  perform app.require_drama_room(v_drama.owner_id, 1);
  -- drama_id in an input is for the handlers: app.drama_runs says which drama a run may write to.
  v_drama.run_id := app.submit_keyed_run(
    jsonb_build_object(
      'key', 'drama',
      'type', 'generate_drama',
      'input', jsonb_build_object('drama_id', v_drama.id),
      'steps', jsonb_build_array(
        jsonb_build_object(
          'key', 'outline',
          'type', 'write_outline',
          'input', v_drama.options || jsonb_build_object(
            'drama_id', v_drama.id, 'premise', v_drama.premise, 'model', v_drama.model
          )
        )
      )
    ),
    v_drama.owner_id,
    'generate_drama:' || v_drama.idempotency_key,
    v_request_hash
  );
  if v_request_hash is not null
    and (select j.input ->> 'drama_id' from public.jobs as j where j.id = v_drama.run_id)
      is distinct from v_drama.id::text
  then
    -- Another transaction submitted this run a moment ago.
    return app.find_keyed_drama(v_drama.owner_id, v_drama.idempotency_key, v_request_hash);
  end if;
  perform app.reserve_media(
    v_drama.run_id, v_drama.owner_id, v_wanted.images, v_wanted.videos
  );
  perform app.count_drama(v_drama.owner_id);

  return v_drama;
end
$$;

comment on function app.start_drama_run(public.dramas) is
$$Validates premise, model and options of a new drama, submits its run, reserves its media, and
returns the drama with run_id and defaults.

The caller inserts the drama, unless the result has another id: that is the drama that an earlier
request with the same idempotency_key generated.
404 drama_not_found: that drama was deleted. 404 owner_not_found, 409 idempotency_key_taken,
422 premise_invalid, model_unknown, options_invalid, idempotency_key_invalid; and the refusals of
app.require_media and app.require_drama_room.$$;
