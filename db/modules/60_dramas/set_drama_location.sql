-- app.set_drama_location
--
-- Why         PostgREST reads response.headers after the last row of an insert. A BEFORE trigger sees
--             one row at a time, so the second row removes the header
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
  perform set_config(
    'response.headers',
    case
      when v_is_first then jsonb_build_array(
        jsonb_build_object('Location', app.build_drama_path(set_drama_location.drama_id))
      )::text
      else ''
    end,
    true
  );
end
$$;

comment on function app.set_drama_location(uuid) is
  'Sets the response header Location of a request that inserts one drama; none for several.';
