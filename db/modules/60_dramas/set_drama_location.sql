-- app.set_drama_location
--
-- Why         PostgREST reads response.headers after the last row of an insert. A BEFORE trigger
--             sees one row at a time, so the second row removes the header
create or replace function app.set_drama_location(drama_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_is_first constant boolean :=
    coalesce(current_setting('plinth.inserts_dramas', true), '') = '';
  -- gate.pre_request may have set a header.
  v_others constant jsonb := coalesce(
    (
      select jsonb_agg(h.header)
      from jsonb_array_elements(
        nullif(current_setting('response.headers', true), '')::jsonb
      ) as h (header)
      where not h.header ? 'Location'
    ),
    '[]'
  );
begin
  perform set_config('plinth.inserts_dramas', 'on', true);
  perform set_config(
    'response.headers',
    case
      when v_is_first then v_others || jsonb_build_object(
        'Location', app.build_drama_path(set_drama_location.drama_id)
      )
      else v_others
    end::text,
    true
  );
end
$$;

comment on function app.set_drama_location(uuid) is
  'Sets the response header Location of a request that inserts one drama; none for several.';
