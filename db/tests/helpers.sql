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
  'authenticated',
  json_build_object(
    'sub', sign_in.user_id, 'role', 'authenticated', 'aud', 'authenticated', 'exp', 4102444800
  )
);

create function tests.become(role text)
  returns void
  language sql
return tests.assume(
  become.role, json_build_object('role', become.role, 'exp', 4102444800)
);

-- Makes the caller the owner of this API key, as PostgREST and the gate do.
create function tests.send_key(key text, method text default 'GET', path text default '/users')
  returns void
  language plpgsql
as $$
begin
  perform tests.become('anon');
  perform
    set_config(
      'request.headers',
      json_build_object('x-api-key', send_key.key, 'content-length', '2')::text,
      true
    ),
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
  insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key)
  values (
    create_asset.id,
    'file.png',
    encode(sha256(create_asset.id::text::bytea), 'hex'),
    1,
    'image/png',
    format('https://cdn/shared-assets/%s/f.png', create_asset.id),
    format('shared-assets/%s/f.png', create_asset.id)
  )
  returning assets.id;
end;

-- A flow in the enhanced format: two agents, a data store, an if-node.
create function tests.example_flow()
  returns json
  language sql
return '{
  "name": "Example", "description": "Two agents", "nodes": [{"id": "n1"}], "edges": [],
  "responseTemplate": "{{a}}",
  "agents": {
    "a1": {"name": "One", "promptMessages": [{"role": "user", "content": "Hi"}],
      "modelTier": "heavy", "temperature": 0.7, "maxTokens": 1024, "topP": 1,
      "frequencyPenalty": 0, "presencePenalty": 0, "responseFormat": "text"},
    "a2": {"name": "Two", "promptMessages": [], "modelTier": "light", "temperature": 1,
      "maxTokens": null, "topP": null, "frequencyPenalty": null, "presencePenalty": null,
      "responseFormat": {"type": "json_object"}}
  },
  "dataStoreNodes": {
    "d1": {"name": "Memory", "color": "#ff0000", "dataStoreFields": [{"name": "mood"}]}
  },
  "ifNodes": {"i1": {"name": "Is it?", "conditions": [{"left": "a", "operator": "=", "right": 1}]}}
}'::json;

-- A version of template demo: artifacts in French, English and for all languages, and one prompt.
create function tests.template_files(
  version text, hash text default 'a', folder text default 'demo'
)
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

-- Steps of runs, driven by one worker through its door. tests.claims keeps every claim,
-- tests.answers every answer.
create table tests.claims (key text, id bigint, fence bigint, step jsonb);
create table tests.answers (n integer generated always as identity, answer jsonb);

create function tests.worker_id()
  returns uuid
  language sql
  immutable
return '7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11'::uuid;

-- Hands in results and claims up to want steps. Returns the keys of the claimed steps, sorted.
create function tests.exchange(results jsonb, want integer default 0)
  returns text
  language plpgsql
as $$
declare
  v_answer jsonb := worker.exchange_steps(tests.worker_id(), exchange.results, exchange.want);
begin
  insert into tests.answers (answer)
  values (v_answer);
  insert into tests.claims (key, id, fence, step)
  select s ->> 'key', (s ->> 'id')::bigint, (s ->> 'fence')::bigint, s
  from jsonb_array_elements(v_answer -> 'steps') as s;

  return (
    select string_agg(s ->> 'key', ' ' order by s ->> 'key')
    from jsonb_array_elements(v_answer -> 'steps') as s
  );
end
$$;

-- Lets the worker of the tests claim steps of every version.
create function tests.announce_versions()
  returns void
  language sql
begin atomic
  insert into app.workers (id, heartbeat_at, started_at, beating_since, versions)
  select tests.worker_id(), app.now(), app.now(), app.now(), jsonb_object_agg(t.name, t.version)
  from public.job_types as t
  on conflict on constraint workers_pkey do update set versions = excluded.versions;
end;

create function tests.claim_steps(want integer default 100)
  returns text
  language sql
return tests.exchange('[]', want);

-- The answer of the last exchange: { refused, steps, wake_in_ms }.
create function tests.last_answer()
  returns jsonb
  language sql
begin atomic
  select a.answer
  from tests.answers as a
  order by a.n desc
  limit 1;
end;

-- The step with this key, as the last claim of it brought it.
create function tests.claimed_step(key text)
  returns jsonb
  language sql
begin atomic
  select c.step
  from tests.claims as c
  where c.key = claimed_step.key
  order by c.fence desc
  limit 1;
end;

-- A result of the step with this key, for a batch.
create function tests.step_result(key text, result jsonb default '{"outcome": "completed"}')
  returns jsonb
  language sql
begin atomic
  select jsonb_build_object('id', c.id, 'fence', c.fence) || step_result.result
  from tests.claims as c
  where c.key = step_result.key
  order by c.fence desc
  limit 1;
end;

-- Sends the heartbeat of a worker that has sent heartbeats without a gap, and sweeps. Returns how
-- many steps were requeued or failed.
create function tests.sweep(running jsonb default '[]', worker_id uuid default tests.worker_id())
  returns integer
  language plpgsql
as $$
begin
  perform worker.send_heartbeat(sweep.worker_id, sweep.running, '{}');
  update app.workers as w
  set beating_since = '-infinity'
  where w.id = sweep.worker_id;

  return worker.requeue_lost_steps(sweep.worker_id, sweep.running);
end
$$;

-- Hands in one result for the step with this key, and claims up to want steps. Returns the keys of
-- the claimed steps.
create function tests.hand_in_result(
  key text,
  result jsonb default '{"outcome": "completed"}',
  want integer default 0
)
  returns text
  language sql
return tests.exchange(jsonb_build_array(tests.step_result(key, result)), want);

-- Submits a run with these steps, as JSON objects separated by commas, below a root of this type.
create function tests.submit_steps(
  steps text,
  type text default 'group',
  owner_id uuid default null
)
  returns bigint
  language sql
return app.submit_run(
  format('{"key": "root", "type": "%s", "steps": [%s]}', type, steps)::jsonb, owner_id, null
);

-- The status of the newest job with this key, as job_tree shows it.
create function tests.status_of(key text)
  returns text
  language sql
begin atomic
  select coalesce(q.status, j.status)
  from public.jobs as j
  left join app.job_queue as q on q.job_id = j.id
  where j.key = status_of.key
  order by j.id desc
  limit 1;
end;

-- The statuses of the newest jobs with these keys, as one text.
create function tests.statuses_of(variadic keys text[])
  returns text
  language sql
begin atomic
  select string_agg(tests.status_of(k.key), ' ' order by k.n)
  from unnest(statuses_of.keys) with ordinality as k (key, n);
end;

-- Creates job type "called" and registers callbacks for it, which record their calls in app.calls.
-- If the input of a step or root is '{"raise": "<SQLSTATE>", "on": "<callback>"}', that callback
-- raises.
create function tests.create_callbacks()
  returns void
  language plpgsql
as $$
declare
  v_callback text;
begin
  insert into public.job_types (name, max_failures, backoff, backoff_max)
  values ('called', 3, '1 ms', '1 ms'), ('plain', 3, '1 ms', '1 ms');
  create table app.calls (n integer generated always as identity, callback text, seen text);
  foreach v_callback in array array['completed', 'rescheduled', 'ended', 'reopened'] loop
    execute format(
      $f$
        create function app.note_%1$s(job_ids bigint[]) returns void language plpgsql as $b$
        declare
          v_state text;
        begin
          insert into app.calls (callback, seen)
          select %1$L, string_agg(
            case when j.id is null then i.id || ':deleted' else j.key || ':' || j.status end,
            ' ' order by i.n
          )
          from unnest(job_ids) with ordinality as i (id, n)
          left join public.jobs as j on j.id = i.id;
          select j.input ->> 'raise' into v_state
          from public.jobs as j
          where j.id = any (job_ids)
            and j.input ->> 'on' = %1$L
            and j.input ->> 'raise' is not null
          limit 1;
          if v_state = 'assert' then
            assert false, 'The secret is asserted.';
          elsif v_state is not null then
            raise exception using errcode = v_state, message = 'The secret of the product.';
          end if;
        end
        $b$
      $f$,
      v_callback
    );
  end loop;
  perform app.register_callbacks(
    'called', 'app.note_completed', 'app.note_rescheduled', 'app.note_ended', 'app.note_reopened'
  );
end
$$;

-- The calls of these callbacks since the last look, in order: callback(key:status …).
create function tests.list_calls()
  returns text
  language plpgsql
as $$
declare
  v_calls text;
begin
  select string_agg(format('%s(%s)', c.callback, c.seen), ', ' order by c.n) into v_calls
  from app.calls as c;
  delete from app.calls;

  return v_calls;
end
$$;

-- Hands in a result for the step of a task, as the last claim brought the step.
create function tests.hand_in_task(task_id uuid, result jsonb)
  returns text
  language sql
begin atomic
  select tests.exchange(
    jsonb_build_array(jsonb_build_object('id', c.id, 'fence', c.fence) || hand_in_task.result)
  )
  from public.tasks as t
  join tests.claims as c on c.id = t.run_id
  where t.id = hand_in_task.task_id
  order by c.fence desc
  limit 1;
end;

-- Hands in a finished tick of a task, or with a question a tick that asks it until a deadline.
create function tests.finish_tick(
  task_id uuid, tick integer, question jsonb default null, delay_ms bigint default 0
)
  returns text
  language sql
return tests.hand_in_task(
  task_id,
  jsonb_build_object(
    'outcome', 'rescheduled',
    'retry_in_ms', delay_ms,
    'state', jsonb_build_object(
      'tick', tick,
      'result', jsonb_build_object('text', 'after ' || tick),
      'question', question,
      'usage', jsonb_build_object(
        'model', 'm', 'input_tokens', 10 * tick, 'output_tokens', tick, 'calls', tick
      ),
      'notes', '[]'::jsonb,
      'template_version', '1.0.0'
    )
  )
);

-- Hands in the last output of a task.
create function tests.complete_task(task_id uuid, tick integer, result jsonb)
  returns text
  language sql
return tests.hand_in_task(
  task_id,
  jsonb_build_object(
    'outcome', 'completed',
    'output', jsonb_build_object(
      'tick', tick,
      'result', result,
      'usage', jsonb_build_object(
        'model', 'm', 'input_tokens', 10 * tick, 'output_tokens', tick, 'calls', tick
      )
    )
  )
);

-- Opens a task at the worker's door, with the fence of the last claim of its step.
create function tests.open_task(task_id uuid, starts boolean default true)
  returns jsonb
  language sql
begin atomic
  select case
    when open_task.starts then worker.start_task(c.id, c.fence)
    else worker.read_task(c.id, c.fence)
  end
  from public.tasks as t
  join tests.claims as c on c.id = t.run_id
  where t.id = open_task.task_id
  order by c.fence desc
  limit 1;
end;

-- The refusal that a command raises: { code, slug, message, hint }; null if the command succeeds.
create function tests.refusal_of(command text)
  returns jsonb
  language plpgsql
as $$
declare
  v_code text;
  v_slug text;
  v_message text;
  v_hint text;
begin
  execute refusal_of.command;
  return null;
exception
  when others then
    get stacked diagnostics
      v_code = returned_sqlstate,
      v_slug = pg_exception_detail,
      v_message = message_text,
      v_hint = pg_exception_hint;
    return jsonb_build_object('code', v_code, 'slug', v_slug, 'message', v_message, 'hint', v_hint);
end
$$;

-- Creates job type "paid", whose runs capture their hold when their step completes, and release it
-- otherwise. New users get no credits.
create function tests.create_paid_type()
  returns void
  language plpgsql
as $$
begin
  update public.plans set credits_per_period = 0, low_credits_at = null where id = 'free';
  insert into public.job_types (name, max_failures, backoff, backoff_max)
  values ('paid', 1, '1 ms', '1 ms');
  perform app.register_callbacks(
    'paid', on_completed => 'app.capture_holds', on_run_ended => 'app.release_holds'
  );
end
$$;

-- Submits a run of type "paid" for a user, with a hold, in the order that docs/states.md asks for.
create function tests.submit_paid(user_id uuid, amount integer, key text default 'work')
  returns bigint
  language plpgsql
as $$
declare
  v_run_id bigint;
begin
  perform app.ensure_lanes(submit_paid.user_id, array['paid']);
  perform app.lock_credits(array[submit_paid.user_id]);
  v_run_id := app.submit_run(
    jsonb_build_object('key', submit_paid.key, 'type', 'paid'), submit_paid.user_id, null
  );
  perform app.place_hold(submit_paid.user_id, v_run_id, submit_paid.amount, 'A portrait.');

  return v_run_id;
end
$$;

-- Gives a user credits: of a pack, or with an expiry.
create function tests.grant_credits(
  user_id uuid, amount integer, key text, lasts interval default null
)
  returns uuid
  language sql
return app.grant_credits(
  user_id, amount, 'pack', key, app.now() + lasts, key
);

-- The balance of a user: credits, held, owed.
create function tests.balance_of(user_id uuid)
  returns text
  language sql
begin atomic
  select format('%s %s %s', u.credits, u.credits_held, u.credits_owed)
  from public.users as u
  where u.id = balance_of.user_id;
end;

-- Prepares the studio: its job types, an address of Storage, the bucket of photos, and three tools.
-- New users get no credits.
create function tests.prepare_studio()
  returns void
  language plpgsql
as $$
begin
  update public.plans set credits_per_period = 0, low_credits_at = null where id = 'free';
  update app.settings set storage_url = 'https://x.test/storage/v1';
  insert into public.job_types (
    name, on_failure, max_failures, backoff, backoff_max, owner_running_limit, is_paid
  )
  values
    ('process_image', 'fail_run', 3, '1 ms', '1 ms', 10, true),
    ('analyze_face', 'fail_run', 3, '1 ms', '1 ms', 10, true)
  on conflict on constraint job_types_pkey do nothing;
  insert into storage.buckets (id, name)
  values ('user_uploads', 'user_uploads')
  on conflict do nothing;
  insert into public.tools (
    id, key, name, category, kind, prompt, model, cost, parameters, result_schema
  )
  values
    (
      '70000000-0000-4000-8000-000000000001', 'paint', 'Paint it', 'fun', 'image',
      'Paint it {{color}}, strength {{strength}}, again {{color}}.', 'm', 2,
      '{
        "type": "object",
        "properties": {
          "color": {"type": "string", "maxLength": 40},
          "strength": {"type": "number", "minimum": 0, "maximum": 10, "default": 0.50},
          "is_bold": {"type": "boolean"},
          "layers": {"type": "integer", "enum": [1, 2, 3]}
        },
        "required": ["color"],
        "additionalProperties": false
      }',
      null
    ),
    (
      '70000000-0000-4000-8000-000000000002', 'measure', 'Measure it', 'fun', 'analysis',
      'Measure it.', 'm', 1, '{"type": "object", "additionalProperties": false}',
      '{"type": "object"}'
    ),
    (
      '70000000-0000-4000-8000-000000000003', 'closed', 'Closed', 'fun', 'image', 'Close it.', 'm',
      1, '{"type": "object", "additionalProperties": false}', null
    );
  update public.tools set enabled = false where key = 'closed';
  perform tests.announce_versions();
end
$$;

-- A photo in the folder of a user, as Storage records it.
create function tests.upload_photo(
  user_id uuid,
  name text default 'photo.jpg',
  etag text default '"e1"',
  size bigint default 1000,
  type text default 'image/jpeg'
)
  returns text
  language sql
begin atomic
  insert into storage.objects (bucket_id, name, owner_id, metadata)
  values (
    'user_uploads', user_id || '/' || upload_photo.name, user_id::text,
    jsonb_build_object('eTag', etag, 'size', size, 'mimetype', type)
  )
  on conflict (bucket_id, name) do update set metadata = excluded.metadata
  returning objects.name;
end;

-- The caller asks for tool "paint" with these parameters.
create function tests.paint(
  path text, parameters jsonb default '{"color": "red"}', key text default null
)
  returns jsonb
  language sql
return public.process_image('70000000-0000-4000-8000-000000000001', path, parameters, key);

-- The caller asks for tool "measure".
create function tests.measure(path text, key text default null)
  returns jsonb
  language sql
return public.analyze_face('70000000-0000-4000-8000-000000000002', path, '{}', key);

-- The worker reads a generation, whose step its last claim brought.
create function tests.read_generation(generation_id uuid)
  returns jsonb
  language sql
begin atomic
  select worker.read_generation(c.id, c.fence)
  from public.generations as g
  join tests.claims as c on c.id = g.run_id
  where g.id = read_generation.generation_id
  order by c.fence desc
  limit 1;
end;

-- Hands in a result of a generation's step, as its last claim brought the step.
create function tests.hand_in_generation(generation_id uuid, result jsonb)
  returns text
  language sql
begin atomic
  select tests.exchange(
    jsonb_build_array(jsonb_build_object('id', c.id, 'fence', c.fence) || hand_in_generation.result)
  )
  from public.generations as g
  join tests.claims as c on c.id = g.run_id
  where g.id = hand_in_generation.generation_id
  order by c.fence desc
  limit 1;
end;

-- Claims the step of a generation and completes it: with an image, or with { result }.
create function tests.complete_generation(generation_id uuid, output jsonb default null)
  returns text
  language plpgsql
as $$
declare
  v_output jsonb := output;
begin
  perform tests.claim_steps();
  if v_output is null then
    v_output := jsonb_build_object(
      'object_key', tests.read_generation(generation_id) ->> 'target' || '.png'
    );
  end if;

  return tests.hand_in_generation(
    generation_id, jsonb_build_object('outcome', 'completed', 'output', v_output)
  );
end
$$;
