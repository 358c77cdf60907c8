-- app.start_drama_run
--
-- Writes      what app.submit_run writes
-- Errors      PT404 owner_not_found, PT422 premise_invalid, model_unknown, options_invalid, idempotency_key_invalid
-- Locks       the owner, then lanes, as app.submit_run does: call it before what else takes long
create or replace function app.start_drama_run(drama public.dramas, idempotency_key text)
  returns public.dramas
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_drama public.dramas := start_drama_run.drama;
begin
  if not coalesce(app.trim_text(v_drama.premise) <> '' and char_length(v_drama.premise) <= 10000, false) then
    perform app.fail(
      422, 'premise_invalid', 'A premise has 1 to 10,000 characters.', 'Say in a sentence or two what the drama is about.'
    );
  end if;
  if char_length(start_drama_run.idempotency_key) not between 1 and 180 then
    perform app.fail(
      422, 'idempotency_key_invalid', 'An idempotency key has 1 to 180 characters.', 'Send a shorter one, or none.'
    );
  end if;

  perform app.hold_drama_owner(v_drama.owner_id);
  v_drama.model := app.require_model('text', nullif(v_drama.model, ''));
  v_drama.options := app.read_drama_options(v_drama.options);
  v_drama.language := v_drama.options ->> 'language';
  v_drama.style := v_drama.options ->> 'style';
  -- What a step needs comes in its input; which drama it may write to says app.drama_runs alone.
  v_drama.run_id := app.submit_run(
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
    'generate_drama:' || start_drama_run.idempotency_key
  );

  return v_drama;
end
$$;

comment on function app.start_drama_run(public.dramas, text) is
  'Checks what a drama is to be generated from, submits its run, and returns it with run_id and the defaults filled in.';
