-- app.set_task_location
--
-- Why         PostgREST reads response.headers after the last row of an insert. A BEFORE trigger
--             sees one row at a time, so the second row removes the header
create or replace function app.set_task_location(task_id uuid, is_only boolean)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
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
  perform set_config(
    'response.headers',
    case
      when set_task_location.is_only then v_others || jsonb_build_object(
        'Location', app.build_task_path(set_task_location.task_id)
      )
      else v_others
    end::text,
    true
  );
end
$$;

comment on function app.set_task_location(uuid, boolean) is
  'Sets the response header Location of a request that inserts one task; none for several.';
