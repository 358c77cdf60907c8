-- Shared by the pgTAP files; loaded with pgTAP into schema tests of the test databases.

create function tests.create_user(email text)
  returns uuid
  language sql
begin atomic
  insert into auth.users (id, aud, role, email)
  values (gen_random_uuid(), 'authenticated', 'authenticated', create_user.email)
  returning id;
end;

-- Makes the caller this role with these claims, as PostgREST does, on a connection that has kept no
-- plan. PL/pgSQL keeps the plans of a function for the whole connection, with the names resolved as
-- the first caller: a function that ran as postgres would go on working for a role that may not
-- enter schema app.
create function tests.assume(role text, claims json)
  returns void
  language plpgsql
as $$
begin
  perform set_config('role', assume.role, true);
  perform set_config('request.jwt.claims', assume.claims::text, true);
  discard plans;
end
$$;

-- Makes the caller a signed-in user, as PostgREST does.
create function tests.sign_in(user_id uuid)
  returns void
  language sql
return tests.assume(
  'authenticated', json_build_object('sub', sign_in.user_id, 'role', 'authenticated')
);

create function tests.become(role text)
  returns void
  language sql
return tests.assume(become.role, json_build_object('role', become.role));

-- Makes the caller the owner of this API key, as PostgREST and the gate do.
create function tests.send_key(key text, method text default 'GET', path text default '/users')
  returns void
  language plpgsql
as $$
begin
  perform tests.become('anon');
  perform
    set_config('request.headers', json_build_object('x-api-key', send_key.key)::text, true),
    set_config('request.method', send_key.method, true),
    set_config('request.path', send_key.path, true);
  perform gate.pre_request();
  discard plans;
end
$$;

-- Moves app.now for the rest of the transaction, which only its owner can do.
create function tests.travel(distance interval)
  returns void
  language plpgsql
as $$
begin
  execute format(
    'create or replace function app.now() returns timestamptz '
    'language sql stable set search_path = '''' '
    'return pg_catalog.now() + interval %L',
    travel.distance
  );
end
$$;

-- An asset that was uploaded now; its bytes are its own.
create function tests.create_asset(id uuid)
  returns uuid
  language sql
begin atomic
  insert into public.assets (
    id, name, hash, size_byte, mime_type, file_path, object_key, used_at
  )
  values (
    create_asset.id,
    'f.png',
    encode(sha256(create_asset.id::text::bytea), 'hex'),
    1,
    'image/png',
    format('https://cdn/shared-assets/%s/f.png', create_asset.id),
    format('shared-assets/%s/f.png', create_asset.id),
    app.now()
  )
  returning assets.id;
end;

-- A flow in the enhanced format: two agents, a data store, an if-node.
create function tests.example_flow()
  returns json
  language sql
return '{
  "name": "Example", "description": "Two agents", "nodes": [{"id": "n1"}], "edges": [], "responseTemplate": "{{a}}",
  "agents": {
    "a1": {"name": "One", "promptMessages": [{"role": "user", "content": "Hi"}], "modelTier": "heavy",
      "temperature": 0.7, "maxTokens": 1024, "topP": 1, "frequencyPenalty": 0, "presencePenalty": 0,
      "responseFormat": "text"},
    "a2": {"name": "Two", "promptMessages": [], "modelTier": "light", "temperature": 1, "maxTokens": null, "topP": null,
      "frequencyPenalty": null, "presencePenalty": null, "responseFormat": {"type": "json_object"}}
  },
  "dataStoreNodes": {"d1": {"name": "Memory", "color": "#ff0000", "dataStoreFields": [{"name": "mood"}]}},
  "ifNodes": {"i1": {"name": "Is it?", "conditions": [{"left": "a", "operator": "=", "right": 1}]}}
}'::json;

-- A version of template demo: artifacts in French, English and for all languages, and one prompt.
create function tests.template_files(version text, hash text default 'a', folder text default 'demo')
  returns jsonb
  language sql
begin atomic
  select jsonb_agg(jsonb_build_object(
    'kind', f.kind,
    'locale', f.locale,
    'storage_path', format('%s/v%s/%s.%s.md', folder, version, f.kind, coalesce(f.locale, 'all')),
    'sha256', repeat(hash, 64),
    'size_bytes', 10,
    'content_type', 'text/markdown'
  ))
  from (
    values ('main', 'fr'), ('main', 'en'), ('config', null), ('mixed', 'fr'), ('mixed', null)
  ) as f (kind, locale);
end;

create function tests.template_prompts(version text)
  returns jsonb
  language sql
return jsonb_build_array(jsonb_build_object(
  'role', 'system',
  'locale', null,
  'storage_path', format('demo/v%s/system.md', version),
  'sha256', repeat('b', 64)
));

-- The version of template demo that the caller gets.
create function tests.picked_version(version text, key text default null)
  returns text
  language sql
return public.template_manifest('demo', version, null, key) ->> 'version';
