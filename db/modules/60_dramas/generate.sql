-- app.tg_dramas__generate
--
-- Writes      as app.submit_run, app.reserve_media; rate_limits
-- Errors      as app.generate_drama; PT404 owner_not_found, PT409 drama_exists, PT422 owner_missing
create or replace function app.tg_dramas__generate()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_drama public.dramas;
begin
  new.owner_id := app.require_drama_owner(new.owner_id);
  v_drama := app.start_drama_run(new);
  if v_drama.id <> new.id then
    perform app.refuse_known_drama(v_drama.id);
  end if;
  if auth.role() is distinct from 'service_role' then
    perform app.take_drama_rate();
  end if;
  perform app.set_drama_location(v_drama.id);

  return v_drama;
end
$$;

comment on function app.tg_dramas__generate() is
  'Starts the run of a drama that a client inserts directly: POST /dramas { premise, model }.';
