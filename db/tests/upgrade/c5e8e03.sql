-- Rows of every kind and every state for a database of commit c5e8e03, made with the functions of
-- that commit. Frozen like the archive: a later release gets a file of its own.
begin;
set local client_min_messages = warning;

create function pg_temp.be(role text, user_id uuid default null)
  returns void
  language plpgsql
as $$
begin
  perform set_config('role', be.role, true);
  perform set_config(
    'request.jwt.claims', json_build_object('sub', be.user_id, 'role', be.role)::text, true
  );
end
$$;

-- Changes of an operator.
update app.settings
set share_base_url = 'https://share.example.com', client_address_header = 'x-real-ip';
update app.schedules set cron = '7 * * * *' where name = 'delete-expired-shares';
update public.plans set description = 'Our own words.' where id = 'free';
update public.job_types set max_failures = 7 where name = 'write_scene';
insert into public.job_types (
  name, max_failures, backoff, timeout, owner_running_limit, rate_limit, rate_window
)
values
  ('noop', 2, '10 ms', '1 minute', null, null, null),
  ('limited', 2, '10 ms', '1 minute', 1, 5, '1 hour');

-- Users, of whom one is banned.
insert into auth.users (id, email)
values
  ('10000000-0000-4000-8000-000000000001', 'ana@example.com'),
  ('10000000-0000-4000-8000-000000000002', 'ben@example.com'),
  ('10000000-0000-4000-8000-000000000003', 'cem@example.com');
update auth.users set banned_until = 'infinity' where email = 'cem@example.com';
update public.users
set plan_id = 'pro', credits = 12
where id = '10000000-0000-4000-8000-000000000001';

-- API keys: live, read-only, expired, revoked, rotated, and one that was used.
create temporary table keys (label text, id uuid, key text);
grant all on keys to public;
reset role;
select pg_temp.be('authenticated', '10000000-0000-4000-8000-000000000001');
insert into keys select 'write', k.id, k.key from public.create_api_key('write', '{write}') as k;
insert into keys select 'read', k.id, k.key from public.create_api_key('read') as k;
insert into keys
select 'expired', k.id, k.key
from public.create_api_key('expired', expires_at => now() + interval '1 hour') as k;
insert into keys select 'revoked', k.id, k.key from public.create_api_key('revoked') as k;
insert into keys
select 'rotated', k.id, k.key from public.create_api_key('rotated', '{write}') as k;
insert into keys
select 'next', k.id, k.key
from public.rotate_api_key((select id from keys where label = 'rotated')) as k;
select public.revoke_api_key(id) from keys where label = 'revoked';
reset role;
update public.api_keys
set created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
where name = 'expired';
select app.find_api_key(key) from keys where label = 'write';

-- Assets: shown, waiting, orphaned, being deleted; an upload that has begun.
select set_config('request.headers', '{"x-real-ip": "203.0.113.9"}', true);
create temporary table files as
select n, (sidecar.reserve_asset(format('f%s.png', n), repeat(n::text, 64), 100 * n, 'image/png')).*
from generate_series(1, 5) as n;
grant select on files to public;
select sidecar.record_asset(
  asset_id,
  'https://cdn.example.com/' || object_key
)
from files where n < 5;
update public.assets
set status = 'orphaned', status_at = now() - interval '1 hour'
where size_byte = 300;
update public.assets
set status = 'deleting', status_at = now() - interval '1 hour'
where size_byte = 400;

-- Shares: of each type, unlisted and public, by function and by direct inserts, sealed and open,
-- live and expired.
reset role;
select pg_temp.be('anon');
select public.share_flow(
  '{
    "name": "Example", "description": "Two agents", "nodes": [{"id": "n1"}], "edges": [],
    "responseTemplate": "{{a}}",
    "agents": {"a1": {"name": "One", "promptMessages": [{"role": "user", "content": "Hi"}],
      "modelTier": "heavy", "temperature": 0.7, "maxTokens": 1024, "topP": 1,
      "frequencyPenalty": 0, "presencePenalty": 0,
      "responseFormat": "text"}},
    "dataStoreNodes": {
      "d1": {"name": "Memory", "color": "#ff0000", "dataStoreFields": [{"name": "mood"}]}
    },
    "ifNodes": {
      "i1": {"name": "Is it?", "conditions": [{"left": "a", "operator": "=", "right": 1}]}
    }
  }',
  ('20000000-0000-4000-8000-00000000000' || n)::uuid,
  visibility
)
from (values (1, 'unlisted'), (2, 'public'), (3, 'public')) as f (n, visibility);
select public.share_card(
  '{"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Ana", "description": "d"}}',
  asset_id,
  kind,
  ('20000000-0000-4000-8000-00000000001' || f.n)::uuid,
  visibility
)
from files
cross join (
  values (1, 'character', 'unlisted'), (2, 'character', 'public'), (3, 'scenario', 'public')
) as f (n, kind, visibility)
where files.n = 1;
select public.share_session(
  json_build_object(
    'title', 'Evening', 'background_id', asset_id,
    'all_cards', json_build_array(json_build_object('name', 'Ana', 'icon_asset_id', asset_id))
  ),
  '{"name": "Flow of a session", "nodes": [], "edges": []}',
  '20000000-0000-4000-8000-000000000021',
  'public'
)
from files
where n = 2;
insert into public.flows (id, name, nodes, edges)
select ('30000000-0000-4000-8000-00000000000' || n)::uuid, 'Direct', '[]', '[]'
from generate_series(1, 2) as n;
insert into public.agents (flow_id, id, name)
values ('30000000-0000-4000-8000-000000000001', 'a1', 'One');
insert into public.if_nodes (flow_id, id, name, conditions)
values ('30000000-0000-4000-8000-000000000001', 'i1', 'If', '[]');
insert into public.data_store_nodes (flow_id, id, name, color, data_store_fields)
values ('30000000-0000-4000-8000-000000000001', 'd1', 'Store', 'red', '[]');
insert into public.characters (id, name, icon_asset_id)
select '30000000-0000-4000-8000-000000000011', 'Direct', asset_id from files where n = 2;
insert into public.scenarios (id, name) values ('30000000-0000-4000-8000-000000000012', 'Direct');
insert into public.sessions (id, title, all_cards)
values ('30000000-0000-4000-8000-000000000013', 'Direct', '[]');
insert into public.shared_resources (id, resource_type, resource_id, visibility)
values
  (
    '20000000-0000-4000-8000-000000000031', 'flow',
    '30000000-0000-4000-8000-000000000001', 'public'
  ),
  (
    '20000000-0000-4000-8000-000000000032', 'card_character',
    '30000000-0000-4000-8000-000000000011', 'unlisted'
  );
reset role;
update public.shared_resources
set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'
where id = '20000000-0000-4000-8000-000000000003';

-- Templates: channels, a draft, a deprecated version, a template that is switched off, and an
-- upload that has begun.
create function pg_temp.files(name text, version text)
  returns jsonb
  language sql
return jsonb_build_array(jsonb_build_object(
  'kind', 'main', 'locale', 'en', 'storage_path', format('%s/v%s/main.md', name, version),
  'sha256', repeat('a', 64), 'size_bytes', 10, 'content_type', 'text/markdown'
));
grant execute on function pg_temp.files(text, text) to public;
select app.reserve_template_upload('demo', '9.0.0', pg_temp.files('demo', '9.0.0'), '[]');
select pg_advisory_unlock_all();
reset role;
select pg_temp.be('service_role');
select public.publish_template_version(
  'demo', version, pg_temp.files('demo', version), status => status
)
from (
  values ('1.0.0', 'stable'), ('1.1.0', 'stable'), ('0.9.0', 'stable'), ('2.0.0-rc.1', 'draft')
) as v (version, status);
select public.publish_template_version(
  'off', '1.0.0', pg_temp.files('off', '1.0.0'),
  jsonb_build_array(jsonb_build_object(
    'role', 'system', 'locale', null, 'storage_path', 'off/v1.0.0/system.md',
    'sha256', repeat('b', 64)
  ))
);
select public.set_template_channel('demo', 'default', '{"1.0.0": 90, "1.1.0": 10}');
select public.set_template_channel('demo', 'beta', '{"1.1.0": 100}');
select public.deprecate_template_version('demo', '0.9.0');
reset role;
update public.templates set enabled = false where name = 'off';

-- Runs in every state. Steps are named after the state in which they are left.
create temporary table held (key text, id bigint, fence bigint);
create function pg_temp.exchange(results jsonb, want integer, type text)
  returns void
  language sql
as $$
  insert into held
  select s ->> 'key', (s ->> 'id')::bigint, (s ->> 'fence')::bigint
  from jsonb_array_elements(
    worker.exchange_steps(
      '40000000-0000-4000-8000-000000000001', exchange.results, exchange.want, array[exchange.type]
    ) -> 'steps'
  ) as s
$$;
create function pg_temp.hand_in(key text, rest jsonb)
  returns void
  language sql
as $$
  select pg_temp.exchange(
    (select jsonb_build_array(jsonb_build_object('id', h.id, 'fence', h.fence) || hand_in.rest)
     from held as h where h.key = hand_in.key order by h.fence desc limit 1),
    0, 'noop'
  )
$$;
create function pg_temp.submit(
  key text, steps text, owner_id uuid default '10000000-0000-4000-8000-000000000001'
)
  returns bigint
  language sql
as $$
  select app.submit_run(
    format('{"key": "%s", "type": "group", "steps": [%s]}', submit.key, submit.steps)::jsonb,
    submit.owner_id,
    submit.key
  )
$$;
select pg_temp.submit('completed-run', '{"key": "completed", "type": "noop", "input": {"n": 1}}');
select pg_temp.exchange('[]', 1, 'noop');
select worker.record_template_use(
  id,
  'demo',
  '1.0.0',
  array[repeat('a', 64)]
)
from held where key = 'completed';
select pg_temp.hand_in('completed', '{"outcome": "completed", "output": {"text": "Done."}}');
select pg_temp.submit(
  'failed-run',
  '{"key": "failed", "type": "noop"}, {"key": "skipped", "type": "noop", "depends_on": ["failed"]}'
);
select pg_temp.exchange('[]', 1, 'noop');
select pg_temp.hand_in(
  'failed',
  '{"outcome": "failed", "is_permanent": true, "error": {"slug": "gone", "message": "No."}}'
);
select pg_temp.submit('cancelled-run', '{"key": "cancelled", "type": "noop"}');
select pg_temp.submit(
  'cancelled-while-running',
  '{"key": "cancelled-running", "type": "noop"}',
  '10000000-0000-4000-8000-000000000002'
);
select pg_temp.exchange('[]', 2, 'noop');
reset role;
select pg_temp.be('authenticated', '10000000-0000-4000-8000-000000000001');
select public.cancel_job(id) from public.jobs where key = 'cancelled-run';
reset role;
select pg_temp.be('authenticated', '10000000-0000-4000-8000-000000000002');
select public.cancel_job(id) from public.jobs where key = 'cancelled-while-running';
reset role;
select pg_temp.submit(
  'open-run',
  '{"key": "joining", "type": "noop", "collect": "children", "steps": [
     {"key": "child", "type": "noop"}
   ]},
   {"key": "running", "type": "noop"}, {"key": "waiting", "type": "noop"},
   {"key": "blocked", "type": "noop", "depends_on": ["joining"]}'
);
select pg_temp.exchange('[]', 3, 'noop');
select pg_temp.hand_in(
  'joining',
  '{"outcome": "completed", "output": {"own": 1}, "children": [{"key": "more", "type": "noop"}]}'
);
select pg_temp.hand_in(
  'waiting',
  '{"outcome": "rescheduled", "state": {"turn": 1}, "progress": 0.5, "retry_in_ms": 600000}'
);
select pg_temp.submit(
  'limited-run',
  '{"key": "one", "type": "limited"}, {"key": "two", "type": "limited"}',
  null
);
select pg_temp.exchange('[]', 5, 'limited');
select pg_temp.submit(
  'queued-run',
  '{"key": "queued", "type": "noop", "priority": 5}',
  '10000000-0000-4000-8000-000000000002'
);

-- Dramas: saved whole, completed, failed, in the middle, cancelled, just submitted, and one whose
-- image is generated again.
create temporary table made (label text, id uuid, run_id bigint);
grant all on made to public;
reset role;
select pg_temp.be('authenticated', '10000000-0000-4000-8000-000000000001');
insert into made
select 'saved', (drama ->> 'id')::uuid, null
from public.save_drama_complete(
  '{
    "title": "Saved", "premise": "A lighthouse", "external_id": "ext-1",
    "characters": [{"id": "50000000-0000-4000-8000-000000000001", "name": "Mira"}],
    "episodes": [{"id": "50000000-0000-4000-8000-000000000002", "title": "One", "scenes": [
      {
        "id": "50000000-0000-4000-8000-000000000003", "title": "Night",
        "character_ids": ["50000000-0000-4000-8000-000000000001"]
      }
    ]}]
  }'
) as drama;
insert into made
select label, d.id, d.run_id
from unnest(array['completed', 'failed', 'middle', 'cancelled', 'asked']) as l (label)
cross join lateral public.generate_drama(
  'A lighthouse: ' || label, options => '{"episodes": 1}', idempotency_key => label
) as d;
select public.cancel_job(run_id) from made where label = 'cancelled';
select public.regenerate_asset('50000000-0000-4000-8000-000000000003', 'image', 'More rain.');
reset role;
select pg_temp.exchange('[]', 4, 'write_outline');
alter table held add column label text;
update held as h
set label = m.label
from public.jobs as j
join made as m on m.run_id = j.root_id
where j.id = h.id;
update held set key = 'outline ' || label where key = 'outline';
select pg_temp.hand_in(
  'outline completed',
  '{"outcome": "completed", "output": {"title": "Whole", "episodes": []}}'
);
select pg_temp.hand_in(
  'outline failed',
  '{"outcome": "failed", "is_permanent": true, "error": {"slug": "gone", "message": "No."}}'
);
select pg_temp.hand_in(
  'outline middle',
  '{
    "outcome": "completed",
    "output": {"title": "Half", "episodes": [
      {"id": "50000000-0000-4000-8000-000000000012", "title": "One", "summary": "S"}
    ]},
    "children": [
      {"key": "cast", "type": "write_cast", "collect": "children"},
      {"key": "script-1", "type": "write_script", "depends_on": ["cast"],
       "input": {"episode_id": "50000000-0000-4000-8000-000000000012"}}
    ]
  }'
);
select pg_temp.exchange('[]', 1, 'write_cast');

-- A worker that has left, and one that still holds steps.
select worker.heartbeat('40000000-0000-4000-8000-000000000002', '[]');
select worker.leave('40000000-0000-4000-8000-000000000002');
select app.publish_api_key_uses();
commit;
