-- app.set_location
--
-- Why         PostgREST reads response.headers after the last row of an insert. A BEFORE trigger
--             sees one row at a time, so the second row removes the header
create or replace function app.set_location(path text, is_only boolean)
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
      when set_location.is_only then v_others || jsonb_build_object('Location', set_location.path)
      else v_others
    end::text,
    true
  );
end
$$;

comment on function app.set_location(text, boolean) is
$$Sets the response header Location of a request that inserts one row, or removes the header.

is_only: whether the row is the first one of the request. A request with several rows gets no
Location.$$;
