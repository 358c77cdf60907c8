-- app.build_generation
create or replace function app.build_generation(user_id uuid, answer app.generation_answer)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return jsonb_build_object(
    'generation_id', (build_generation.answer).generation_id,
    'status', (build_generation.answer).status,
    'cached', (build_generation.answer).is_cached,
    'url', (build_generation.answer).url,
    'result', (build_generation.answer).result,
    'credits', (
      select u.credits - u.credits_held
      from public.users as u
      where u.id = any (array[build_generation.user_id])
    )
  );
end
$$;

comment on function app.build_generation(uuid, app.generation_answer) is
  'Returns the answer of process_image, analyze_face and cancel_generation. credits: what the user '
  'can still spend.';
