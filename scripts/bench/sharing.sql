-- What the benchmark adds to Plinth's database, as postgres.

-- Limits are counted, but high: they are not what is measured. Each connection says its address in this header.
update app.settings set share_writes_per_minute = 2000000000, client_address_header = 'x-forwarded-for';

-- The least that an RPC of Plinth's can do: the same wrapper, the same kind of definer, no work.
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

-- Writes shares that expired a minute ago, each with a flow of four nodes, in sets. The superuser runs it with the
-- triggers off: they would build each package and move each expiry, and their work is not what is measured here. The
-- packages, 3 KB of text that does not compress, are kept out of line, as real ones are.
create procedure app.bench_insert_expired(shares integer)
  language sql
  set search_path = ''
as $$
  insert into public.flows (id, name, nodes, edges, sealed_at, created_at)
  select md5('flow ' || n)::uuid, 'Flow ' || n, '[{"id": "start"}, {"id": "end"}]', '[]', now(), now() - interval '61 minutes'
  from generate_series(1, bench_insert_expired.shares) as n;

  insert into public.agents (flow_id, id, name, prompt_messages, model_tier)
  select md5('flow ' || n)::uuid, 'agent-' || a, 'Agent ' || a, to_json(repeat(md5(n::text || a), 15)), 'light'
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
    md5('share ' || n)::uuid, 'flow', md5('flow ' || n)::uuid, now() - interval '1 minute' - n * interval '1 ms',
    now() - interval '61 minutes'
  from generate_series(1, bench_insert_expired.shares) as n;

  insert into app.share_packages (share_id, package)
  select
    md5('share ' || n)::uuid,
    to_json((select string_agg(md5(n::text || part), '') from generate_series(1, 94) as part))
  from generate_series(1, bench_insert_expired.shares) as n;
$$;
