-- app.tg__require_id
--
-- Errors      PT422 id_missing, always
-- Why         the condition of its trigger also stores the key of the row in a setting, because a
--             call of PL/pgSQL for each row takes longer. Policy select_new reads the setting
create or replace function app.tg__require_id()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.fail(
    422,
    'id_missing',
    format('A new row of %s needs %s.', tg_table_name, tg_argv[0]),
    'Make a UUID, for example with crypto.randomUUID(), and send it as id: the insert is then safe '
      'to repeat with Prefer: resolution=ignore-duplicates.'
  );

  return null;
end
$$;

comment on function app.tg__require_id() is
  'Refuses a client''s new row without an id. The argument of the trigger names the key.';
