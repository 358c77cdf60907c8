-- app.start_generation
--
-- Writes      generations, generation_details, generation_requests, rate_limits; as app.submit_run,
--             app.place_hold
-- Errors      PT402 credits_insufficient, PT404 owner_not_found, tool_not_found, PT409
--             idempotency_key_taken, PT429 generations_open, rate_limited, PT503
--             storage_not_configured, profile_missing
-- Locks       new lanes; the user, for no key update; the generation, for key share; the tool, for
--             key share, because it may have been deleted since the caller read it; the user's rows
--             of rate_limits; lanes
-- Why         requests of one user wait for the lock on the user's row, and then read the cache
--             again. So identical requests at the same moment start one generation
create or replace function app.start_generation(
  user_id uuid,
  tool public.tools,
  parameters jsonb,
  cache_key text,
  original_path text,
  original_etag text,
  original_size bigint,
  idempotency_key text,
  request_hash bytea
)
  returns app.generation_answer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now constant timestamptz := app.now();
  v_type constant text := case (start_generation.tool).kind
    when 'image' then 'process_image' else 'analyze_face'
  end;
  v_answer app.generation_answer;
  v_settings record;
  v_run_id bigint;
begin
  -- Lanes before the user, because a callback that holds new lanes may wait for the user.
  perform app.ensure_lanes(start_generation.user_id, array[v_type]);
  perform app.lock_credits(array[start_generation.user_id]);

  -- Runs under the lock, so these statements see the generations that other requests have started.
  if start_generation.idempotency_key is not null then
    v_answer := app.find_requested_generation(
      start_generation.user_id, start_generation.idempotency_key, start_generation.request_hash
    );
    if v_answer.generation_id is not null then
      return v_answer;
    end if;
  end if;
  v_answer := app.find_generation(start_generation.cache_key);
  if v_answer.generation_id is not null
    and (
      start_generation.idempotency_key is null
      or app.store_generation_key(
        start_generation.user_id, start_generation.idempotency_key, start_generation.request_hash,
        v_answer.generation_id, v_answer.is_cached
      )
    )
  then
    return v_answer;
  end if;

  perform
  from public.tools as t
  where t.id = any (array[(start_generation.tool).id])
  for key share;
  if not found then
    perform app.fail(
      404, 'tool_not_found', 'Tool not found.', 'Send the id of a row of table tools as tool_id.'
    );
  end if;
  select s.generations_open, s.generations_per_day, s.storage_url into v_settings
  from app.settings as s;
  if (start_generation.tool).kind = 'image' and v_settings.storage_url is null then
    perform app.fail(
      503,
      'storage_not_configured',
      'The server does not know the address of its file storage.',
      'Ask the operator to set app.settings.storage_url.'
    );
  end if;
  if (
    select count(*)
    from public.generations as g
    where g.user_id = start_generation.user_id and g.status = 'pending'
  ) >= v_settings.generations_open
  then
    perform app.fail(
      429,
      'generations_open',
      format('You have %s generations that have not ended.', v_settings.generations_open),
      'Wait until one of them has ended, or call cancel_generation.'
    );
  end if;
  perform app.take_rate(
    'generations',
    'user ' || start_generation.user_id,
    v_settings.generations_per_day,
    interval '1 day'
  );

  v_answer := (gen_random_uuid(), 'pending', false, null::text, null::jsonb);
  v_run_id := app.submit_keyed_run(
    jsonb_build_object(
      'key', v_type,
      'type', v_type,
      'input', jsonb_build_object('generation_id', v_answer.generation_id)
    ),
    start_generation.user_id,
    null,
    null
  );
  perform app.place_hold(
    start_generation.user_id, v_run_id, (start_generation.tool).cost, (start_generation.tool).name
  );
  with new_generation as (
    insert into public.generations (
      id, user_id, tool_id, tool_key, kind, tool_parameters, credits, run_id, created_at, updated_at
    )
    values (
      v_answer.generation_id, start_generation.user_id, (start_generation.tool).id,
      (start_generation.tool).key, (start_generation.tool).kind, start_generation.parameters,
      (start_generation.tool).cost, v_run_id, v_now, v_now
    )
  )
  insert into app.generation_details (
    generation_id, run_id, cache_key, prompt, model, result_schema, original_path, original_etag,
    original_size
  )
  values (
    v_answer.generation_id, v_run_id, start_generation.cache_key,
    app.render_prompt((start_generation.tool).prompt, start_generation.parameters),
    (start_generation.tool).model, (start_generation.tool).result_schema,
    start_generation.original_path, start_generation.original_etag, start_generation.original_size
  );
  if start_generation.idempotency_key is not null then
    insert into app.generation_requests (
      user_id, idempotency_key, request_hash, generation_id, is_cached, created_at
    )
    values (
      start_generation.user_id, start_generation.idempotency_key, start_generation.request_hash,
      v_answer.generation_id, false, v_now
    );
  end if;

  return v_answer;
end
$$;

comment on function app.start_generation(
  uuid, public.tools, jsonb, text, text, text, bigint, text, bytea
) is
$$Starts a generation: submits its run, holds its cost and inserts its rows in one transaction.

Returns another generation, and stores the key for it, if an identical request has started or
completed one. The generation keeps a copy of the prompt, the model and the schema of the result, so
a later change of the tool does not affect it.$$;
