-- app.set_drama_location
create or replace function app.set_drama_location(drama_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_is_first constant boolean :=
    coalesce(current_setting('plinth.inserts_dramas', true), '') = '';
begin
  perform set_config('plinth.inserts_dramas', 'on', true);
  perform app.set_location(app.build_drama_path(set_drama_location.drama_id), v_is_first);
end
$$;

comment on function app.set_drama_location(uuid) is
  'Sets the response header Location of a request that inserts one drama; none for several.';
