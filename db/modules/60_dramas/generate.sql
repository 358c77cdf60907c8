-- app.tg_dramas__generate
--
-- Writes      as app.submit_run; rate_limits
-- Errors      as app.generate_drama
create or replace function app.tg_dramas__generate()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  new.owner_id := app.require_user();
  new := app.start_drama_run(new, null);
  perform app.take_drama_rate();
  return new;
end
$$;

comment on function app.tg_dramas__generate() is
  'Starts the run of a drama that a client inserts directly: POST /dramas { premise, model }.';
