-- app.hash_drama_request
--
-- Why         a default model counts as left out, so that two requests without a model have the
--             same hash even if the operator changes the default between them
create or replace function app.hash_drama_request(premise text, model text, options jsonb)
  returns bytea
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_options jsonb := coalesce(nullif(hash_drama_request.options, 'null'), '{}');
  v_defaults constant jsonb := (
    select coalesce(jsonb_object_agg(m.kind || '_model', m.name), '{}')
    from public.ai_models as m
    where m.is_default
  );
begin
  -- Options of another type are refused later.
  if jsonb_typeof(v_options) = 'object' then
    v_options := (
      select app.default_drama_options() || coalesce(jsonb_object_agg(o.key, o.value), '{}')
      from jsonb_each(v_options) as o (key, value)
      where o.value is distinct from v_defaults -> o.key
    );
  end if;

  return app.hash_request(
    'generate_drama',
    jsonb_build_object(
      'premise', hash_drama_request.premise,
      'model', nullif(nullif(hash_drama_request.model, ''), v_defaults ->> 'text_model'),
      'options', v_options
    )
  );
end
$$;

comment on function app.hash_drama_request(text, text, jsonb) is
$$Returns the hash of a request for a new drama, by generate_drama or by an insert into dramas.

The order of options, and options that are left out or given with their default, make no
difference.$$;
