-- app.process_image, public.process_image
--
-- Called by   clients
-- Writes      as app.request_generation
-- Errors      PT401 not_signed_in, PT405 post_required; those of app.request_generation
-- Idempotent  as app.request_generation
-- Locks       as app.request_generation
create or replace function app.process_image(
  tool_id uuid,
  original_image_storage_path text,
  tool_parameters jsonb,
  idempotency_key text
)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
begin
  perform app.require_writing();

  return app.request_generation(
    'image', v_user_id, process_image.tool_id, process_image.original_image_storage_path,
    process_image.tool_parameters, process_image.idempotency_key
  );
end
$$;

comment on function app.process_image(uuid, text, jsonb, text) is
  'Edits a photo; see public.process_image.';

create or replace function public.process_image(
  tool_id uuid,
  original_image_storage_path text,
  tool_parameters jsonb default '{}',
  idempotency_key text default null
)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return app.process_image(
  tool_id, original_image_storage_path, tool_parameters, idempotency_key
);

comment on function public.process_image(uuid, text, jsonb, text) is
$$Edits a photo with a tool of kind image.

tool_id: of a row of tools. original_image_storage_path: of a photo in your folder of bucket
user_uploads, such as "<your user id>/photo.jpg". tool_parameters: as tools.parameters says.
idempotency_key: 1 to 200 characters; the same key with the same request returns the first
generation as it is now, for at least 7 days (app.settings.generation_key_retention).
Returns { generation_id, status, cached, url, result (null), credits (how many you can still spend)
}. The same photo, tool and parameters within 24 hours (app.settings.cache_ttl) are answered at once
and cost nothing: status completed, cached true, and the url. A request that is identical to a
pending one returns the pending generation and costs nothing. Otherwise status is pending, and
tools.cost credits are held; watch the row of generations through Realtime, or read it again. If the
generation fails or is cancelled, the credits are released. 401 not_signed_in. 402
credits_insufficient. 404 tool_not_found, original_not_found, owner_not_found. 409 tool_disabled,
idempotency_key_taken. 422 tool_kind_wrong (call analyze_face), parameters_invalid,
original_too_large, original_type_unsupported, idempotency_key_invalid. 429 generations_open,
rate_limited. 503 storage_not_configured. From origin 004.$$;

grant execute on function app.process_image(uuid, text, jsonb, text) to anon, authenticated;
grant execute on function public.process_image(uuid, text, jsonb, text) to anon, authenticated;
