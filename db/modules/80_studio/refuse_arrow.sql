-- app.tg_generations__refuse_arrow
--
-- Errors      PT409 generation_ended
create or replace function app.tg_generations__refuse_arrow()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'generation_ended',
    format('The generation has ended: it is %s.', old.status),
    'Call process_image or analyze_face to start a new generation.'
  );

  return null;
end
$$;

comment on function app.tg_generations__refuse_arrow() is
  'Refuses to change the status of a generation that has ended.';
