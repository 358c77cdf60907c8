-- app.analyze_face, public.analyze_face
--
-- Called by   clients
-- Writes      as app.request_generation
-- Errors      PT401 not_signed_in, PT405 post_required; those of app.request_generation
-- Idempotent  as app.request_generation
-- Locks       as app.request_generation
create or replace function app.analyze_face(
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
    'analysis', v_user_id, analyze_face.tool_id, analyze_face.original_image_storage_path,
    analyze_face.tool_parameters, analyze_face.idempotency_key
  );
end
$$;

comment on function app.analyze_face(uuid, text, jsonb, text) is
  'Analyses a photo; see public.analyze_face.';

create or replace function public.analyze_face(
  tool_id uuid,
  original_image_storage_path text,
  tool_parameters jsonb default '{}',
  idempotency_key text default null
)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return app.analyze_face(tool_id, original_image_storage_path, tool_parameters, idempotency_key);

comment on function public.analyze_face(uuid, text, jsonb, text) is
$$Analyses a photo with a tool of kind analysis.

Parameters, answer and errors are those of process_image, with two differences: result has JSON that
follows tools.result_schema, and url is null. 422 tool_kind_wrong: call process_image. From origin
004.$$;

grant execute on function app.analyze_face(uuid, text, jsonb, text) to anon, authenticated;
grant execute on function public.analyze_face(uuid, text, jsonb, text) to anon, authenticated;
