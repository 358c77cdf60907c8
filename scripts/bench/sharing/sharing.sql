-- Additions of the benchmark to Plinth's database, run as postgres.

-- Limits are counted but high, so that no request is refused. requests_at_once keeps its default,
-- because many callers send the requests, each with its address in this header.
update app.settings
set share_writes_per_minute = 2000000000,
  anonymous_bytes_max = 1000000000000,
  client_address_header = 'x-forwarded-for';

-- The smallest possible RPC: the same wrapper and kind of definer as Plinth's functions, without
-- work.
create function app.bench_trivial(share_id uuid)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  return '{"ok": true}';
end
$$;

create function public.bench_trivial(share_id uuid)
  returns json
  language sql
  stable
  set search_path = ''
return app.bench_trivial(share_id);

revoke execute on function app.bench_trivial(uuid) from public;
revoke execute on function public.bench_trivial(uuid) from public;
grant execute on function app.bench_trivial(uuid) to anon;
grant execute on function public.bench_trivial(uuid) to anon;

-- gate.pre_request without the search for an API key.
create function gate.bench_pre_request()
  returns void
  language sql
  volatile
return gate.admit_caller(current_user);
grant execute on function gate.bench_pre_request() to anon;

-- Returns the microseconds of one call of each, with these headers.
create function app.bench_gate(
  headers json, calls integer, out with_keys double precision, out without_keys double precision
)
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_from timestamptz;
begin
  perform
    set_config('request.headers', bench_gate.headers::text, true),
    set_config('request.method', 'GET', true),
    set_config('request.path', '/rpc/bench_trivial', true),
    set_config('request.jwt.claims', '{"role": "anon"}', true),
    set_config('role', 'anon', true);

  v_from := clock_timestamp();
  for v_call in 1..bench_gate.calls loop
    perform gate.pre_request();
  end loop;
  with_keys := extract(epoch from clock_timestamp() - v_from) * 1e6 / bench_gate.calls;

  v_from := clock_timestamp();
  for v_call in 1..bench_gate.calls loop
    perform gate.bench_pre_request();
  end loop;
  without_keys := extract(epoch from clock_timestamp() - v_from) * 1e6 / bench_gate.calls;
end
$$;

-- Inserts shares that expired a minute ago, each with a flow of four nodes, in sets. The superuser
-- runs it with the triggers off, which would build each package and move each expiry. The packages,
-- 3 KB of text that does not compress, are stored out of line, like real ones.
create procedure app.bench_insert_expired(shares integer)
  language sql
  set search_path = ''
as $$
  insert into public.flows (id, name, nodes, edges, sealed_at, created_at)
  select
    md5('flow ' || n)::uuid, 'Flow ' || n, '[{"id": "start"}, {"id": "end"}]', '[]', now(),
    now() - interval '61 minutes'
  from generate_series(1, bench_insert_expired.shares) as n;

  insert into public.agents (flow_id, id, name, prompt_messages, model_tier)
  select
    md5('flow ' || n)::uuid, 'agent-' || a, 'Agent ' || a, to_json(repeat(md5(n::text || a), 15)),
    'light'
  from generate_series(1, bench_insert_expired.shares) as n
  cross join generate_series(1, 2) as a;

  insert into public.data_store_nodes (flow_id, id, name, data_store_fields)
  select md5('flow ' || n)::uuid, 'store', 'Store', '[{"name": "mood"}]'
  from generate_series(1, bench_insert_expired.shares) as n;

  insert into public.if_nodes (flow_id, id, name, conditions)
  select md5('flow ' || n)::uuid, 'if', 'If', '[{"value": "night"}]'
  from generate_series(1, bench_insert_expired.shares) as n;

  insert into public.shared_resources (id, resource_type, resource_id, expires_at, created_at)
  select
    md5('share ' || n)::uuid, 'flow', md5('flow ' || n)::uuid,
    now() - interval '1 minute' - n * interval '1 ms',
    now() - interval '61 minutes'
  from generate_series(1, bench_insert_expired.shares) as n;

  insert into app.share_packages (share_id, package)
  select
    md5('share ' || n)::uuid,
    to_json((select string_agg(md5(n::text || part), '') from generate_series(1, 94) as part))
  from generate_series(1, bench_insert_expired.shares) as n;
$$;
