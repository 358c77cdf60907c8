-- app.request_generation
--
-- Writes      nothing for a cache hit without a key; else as app.start_generation
-- Errors      PT422 idempotency_key_invalid, PT409 idempotency_key_taken; those of
--             app.require_tool, app.parse_tool_parameters, app.require_original and
--             app.start_generation
-- Idempotent  same idempotency_key, same user, same request: returns the first generation as it is
--             now
-- Locks       none for a cache hit without a key; else as app.start_generation
create or replace function app.request_generation(
  kind text,
  user_id uuid,
  tool_id uuid,
  original_image_storage_path text,
  tool_parameters jsonb,
  idempotency_key text
)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say, also in the functions below: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_hash bytea;
  v_tool public.tools;
  v_parameters jsonb;
  v_original record;
  v_cache_key text;
  v_answer app.generation_answer;
begin
  if char_length(request_generation.idempotency_key) not between 1 and 200 then
    perform app.fail(
      422,
      'idempotency_key_invalid',
      'idempotency_key must have 1 to 200 characters.',
      'Send a key of 1 to 200 characters, or leave it out.'
    );
  elsif request_generation.idempotency_key is not null then
    v_hash := app.hash_request(
      request_generation.kind,
      jsonb_build_array(
        request_generation.tool_id,
        request_generation.original_image_storage_path,
        coalesce(request_generation.tool_parameters, '{}')
      )
    );
    v_answer := app.find_requested_generation(
      request_generation.user_id, request_generation.idempotency_key, v_hash
    );
    if v_answer.generation_id is not null then
      return app.build_generation(request_generation.user_id, v_answer);
    end if;
  end if;

  v_tool := app.require_tool(request_generation.tool_id, request_generation.kind);
  v_parameters := app.parse_tool_parameters(
    v_tool.parameters, request_generation.tool_parameters
  );
  v_original := app.require_original(
    request_generation.user_id, request_generation.original_image_storage_path
  );
  v_cache_key := app.hash_generation(
    request_generation.user_id, v_tool.id, v_tool.version, v_original.etag, v_original.size,
    v_parameters
  );

  -- A request with a key locks the user before it stores the key.
  if request_generation.idempotency_key is null then
    v_answer := app.find_generation(v_cache_key);
  end if;
  if v_answer.generation_id is null then
    v_answer := app.start_generation(
      request_generation.user_id, v_tool, v_parameters, v_cache_key, v_original.path,
      v_original.etag, v_original.size, request_generation.idempotency_key, v_hash
    );
  end if;

  return app.build_generation(request_generation.user_id, v_answer);
end
$$;

comment on function app.request_generation(text, uuid, uuid, text, jsonb, text) is
$$Answers process_image (kind image) and analyze_face (kind analysis).

Looks for an earlier request with the same key, then for a result in the cache or a pending
generation, and starts a generation only if it finds neither.$$;
