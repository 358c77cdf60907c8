-- app.tg_dramas__generate
--
-- Writes      what app.submit_run writes; rate_limits
-- Errors      those of app.generate_drama
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

comment on function app.tg_dramas__generate() is 'Has a drama generated that a client inserts directly: POST /dramas { premise, model }.';
