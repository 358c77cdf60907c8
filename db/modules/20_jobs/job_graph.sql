-- app.job_graph, public.job_graph
--
-- Called by   clients: the owner of the job, and service_role
-- Errors      PT401 not_signed_in, PT404 job_not_found
create or replace function app.job_graph(job_id bigint)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  perform app.require_caller();
  perform app.require_job(job_graph.job_id);

  return (
    with recursive tree as (
      select j.id, j.parent_id, j.key, j.type, j.status, j.depends_on
      from public.jobs as j
      where j.id = any (array[job_graph.job_id])
      union all
      select c.id, c.parent_id, c.key, c.type, c.status, c.depends_on
      from tree as t
      -- One index lookup per node, here and below: ADR 16.
      cross join lateral (
        select j.id, j.parent_id, j.key, j.type, j.status, j.depends_on
        from public.jobs as j
        where j.parent_id = any (array[t.id])
        offset 0
      ) as c
    ),
    lines as (
      -- A node is named after its id. app.quote_label makes its label safe.
      select
        1 as part,
        t.id,
        format(
          '  s%s["%s<br/>%s"]:::%s',
          t.id,
          app.quote_label(t.key),
          app.quote_label(t.type),
          coalesce(q.status, t.status)
        ) as line
      from tree as t
      left join lateral (
        select n.status
        from app.job_queue as n
        where n.job_id = any (array[t.id])
        offset 0
      ) as q on true
      union all
      select 2, t.id, format('  s%s --> s%s', d.id, t.id)
      from tree as t
      cross join lateral unnest(t.depends_on) as d (id)
      where t.id <> job_graph.job_id
      union all
      select 3, t.id, format('  s%s -.-> s%s', t.parent_id, t.id)
      from tree as t
      where t.id <> job_graph.job_id
    )
    select concat_ws(
      e'\n',
      'flowchart TD',
      string_agg(l.line, e'\n' order by l.part, l.id),
      '  classDef blocked fill:#eee,stroke:#999,color:#333',
      '  classDef queued fill:#fff3cd,stroke:#997404,color:#333',
      '  classDef running fill:#cfe2ff,stroke:#0a58ca,color:#333',
      '  classDef joining fill:#e2d9f3,stroke:#59359a,color:#333',
      '  classDef completed fill:#d1e7dd,stroke:#146c43,color:#333',
      '  classDef failed fill:#f8d7da,stroke:#b02a37,color:#333',
      '  classDef cancelled fill:#ced4da,stroke:#495057,color:#333',
      '  classDef skipped fill:#f8f9fa,stroke:#adb5bd,color:#333'
    )
    from lines as l
  );
end
$$;

comment on function app.job_graph(bigint) is 'Draws a job; see public.job_graph.';

create or replace function public.job_graph(job_id bigint)
  returns text
  language sql
  stable
  set statement_timeout = '10s'
  set search_path = ''
return app.job_graph(job_id);

comment on function public.job_graph(bigint) is
$$Returns a job and all jobs below it as the text of a Mermaid flowchart.

job_id: any job, not only a root. Solid arrows are dependencies; dotted arrows lead from a parent to
its children. The class of a node is the status of its job.
404 job_not_found. Origin 002.$$;

grant execute on function app.job_graph(bigint) to anon, authenticated, service_role;
grant execute on function public.job_graph(bigint) to anon, authenticated, service_role;
