-- app.job_tree, public.job_tree
--
-- Called by   clients: the owner of the job, and service_role
-- Errors      PT401 not_signed_in, PT404 job_not_found
-- Why         reads job_queue too, because public.jobs shows some changes late (docs/states.md).
--             Computes progress from the lowest level up, and writes the JSON text from the top
--             down, so that the time grows with the number of nodes and not with their depth.
--             Joins no two lists of nodes: a planner that expects one row would compare each node
--             with every other one (ADR 16)
-- The functions of earlier releases returned jsonb.
drop function if exists public.job_tree(bigint);
drop function if exists app.job_tree(bigint);

create or replace function app.job_tree(job_id bigint)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_run_id bigint;
  v_tree record;
  v_progress numeric[] := '{}'::numeric[];
  v_below_parent_ids bigint[] := '{}'::bigint[];
  v_below_progress numeric[] := '{}'::numeric[];
  v_level record;
  v_text text;
begin
  perform app.require_caller();
  v_run_id := app.require_job(job_tree.job_id);

  -- The deepest level first, because the progress of a parent needs that of its children. In the
  -- order of path, a node stands before all nodes below it.
  with recursive tree as (
    select
      j.id,
      j.parent_id,
      j.ctid as place,
      0 as depth,
      int8send(j.id) as path,
      case when j.status = 'completed' then 1 end::numeric as completed,
      j.progress::numeric as own
    from public.jobs as j
    where j.id = any (array[job_tree.job_id])
    union all
    select c.id, c.parent_id, c.place, t.depth + 1, t.path || int8send(c.id), c.completed, c.own
    from tree as t
    -- One index lookup per node, here and below: ADR 16.
    cross join lateral (
      select
        j.id,
        j.parent_id,
        j.ctid as place,
        case when j.status = 'completed' then 1 end::numeric as completed,
        j.progress::numeric as own
      from public.jobs as j
      where j.parent_id = any (array[t.id])
      offset 0
    ) as c
  )
  select
    array_agg(t.id) as ids,
    array_agg(t.parent_id) as parent_ids,
    array_agg(t.place) as places,
    array_agg(t.depth) as depths,
    array_agg(t.path) as paths,
    array_agg(t.completed) as completed,
    array_agg(t.own) as own
  into v_tree
  from (select * from tree as n order by n.depth desc, n.id) as t;

  -- v_below_* holds the level that the loop computed last.
  for v_level in
    select
      array_agg(t.id) as ids,
      array_agg(t.parent_id) as parent_ids,
      array_agg(t.completed) as completed,
      array_agg(t.own) as own
    from unnest(v_tree.ids, v_tree.parent_ids, v_tree.depths, v_tree.completed, v_tree.own)
      as t (id, parent_id, depth, completed, own)
    group by t.depth
    order by t.depth desc
  loop
    select array_agg(l.parent_id order by l.id), array_agg(l.progress order by l.id)
    into v_below_parent_ids, v_below_progress
    from (
      select
        n.id,
        max(n.parent_id) as parent_id,
        coalesce(max(n.completed), avg(n.below), max(n.own)) as progress
      from (
        select t.id, t.parent_id, t.completed, t.own, null::numeric as below
        from unnest(v_level.ids, v_level.parent_ids, v_level.completed, v_level.own)
          as t (id, parent_id, completed, own)
        union all
        select b.parent_id, null, null, null, b.progress
        from unnest(v_below_parent_ids, v_below_progress) as b (parent_id, progress)
      ) as n
      group by n.id
    ) as l;
    v_progress := v_progress || v_below_progress;
  end loop;

  with
  -- The lanes of the run from which some or all queued steps may not start now.
  held as materialized (
    select
      l.id,
      case when l.not_before > app.now()
        then jsonb_build_object(
          'slug', coalesce(l.hold_kind, 'provider_delay'),
          'message', coalesce(l.hold_reason, 'The provider accepts no requests at the moment.'),
          'until', l.not_before
        )
      end as hold,
      case
        when t.is_paid and s.buying_is_stopped
          then jsonb_build_object(
            'slug', 'buying_stopped',
            'message',
            'The operator has stopped all purchases. The step starts when they resume.',
            'until', null
          )
        when t.owner_open_limit is not null
          and app.count_open(l.id, t.owner_open_limit) >= t.owner_open_limit
          then jsonb_build_object(
            'slug', 'open_limit',
            'message',
            format(
              'At most %s steps of this type may be open at a time. The step starts when another '
              'step ends.',
              t.owner_open_limit
            ),
            'until', null
          )
      end as stop
    from app.lanes as l
    join public.job_types as t on t.name = l.type
    cross join app.settings as s
    where l.id = any (
      array(
        select distinct q.lane_id
        from app.job_queue as q
        where q.run_id = any (array[v_run_id]) and q.status = 'queued'
      )
    )
  ),
  nodes as (
    select
      p.path,
      p.depth,
      lag(p.depth) over by_path as depth_before,
      lead(p.depth) over by_path as depth_after,
      jsonb_build_object(
        'id', j.id,
        'key', j.key,
        'type', j.type,
        'status', coalesce(q.status, j.status),
        'progress', round(p.progress, 4),
        'created_at', j.created_at,
        'started_at', coalesce(j.started_at, q.claimed_at),
        'finished_at', j.finished_at,
        'error', case
          when j.error_slug is not null
            then jsonb_build_object('slug', j.error_slug, 'message', j.error_message)
        end,
        'waiting', case
          when q.status = 'queued'
            then coalesce(h.hold, case when q.state is null then h.stop end)
        end
      )::text as node
    from unnest(v_tree.ids, v_tree.places, v_tree.depths, v_tree.paths, v_progress)
      as p (id, place, depth, path, progress)
    cross join lateral (
      select
        n.id, n.key, n.type, n.status, n.created_at, n.started_at, n.finished_at, n.error_slug,
        n.error_message
      from public.jobs as n
      -- The place of the row is the same for the whole call, which has one snapshot. By id, a
      -- plan may read the whole index of owners for each node.
      where n.ctid = p.place
      offset 0
    ) as j
    left join lateral (
      select n.status, n.claimed_at, n.lane_id, n.state
      from app.job_queue as n
      where n.job_id = any (array[p.id])
      offset 0
    ) as q on true
    left join held as h on h.id = q.lane_id
    window by_path as (order by p.path)
  )
  -- Each node is written without its end; the last node below it closes it.
  select string_agg(
    case when n.depth_before >= n.depth then ',' else '' end
      || left(n.node, -1) || ', "children": ['
      || repeat(']}', n.depth - coalesce(n.depth_after, 0) + 1),
    '' order by n.path
  )
  into v_text
  from nodes as n;

  return app.send_document(v_text::json, md5(v_text));
end
$$;

comment on function app.job_tree(bigint) is 'Returns a job as a tree; see public.job_tree.';

create or replace function public.job_tree(job_id bigint)
  returns public."*/*"
  language sql
  stable
  set statement_timeout = '10s'
  set search_path = ''
return app.job_tree(job_id);

comment on function public.job_tree(bigint) is
$$Returns a job and all jobs below it, with their current status.

job_id: any job, not only a root. Returns { id, key, type, status, progress, created_at, started_at,
finished_at, error: { slug, message } | null, waiting: { slug, message, until } | null,
children: […] }. waiting: why a queued step does not start although it is due: provider_delay,
day_spent (the provider's quota of the day is used up), buying_stopped or open_limit, and until when
if that is known. progress: 0 to 1; for a parent that is not completed, the mean of its children. A
completed run may contain failed steps (on_failure skip_dependents or continue); retry_job runs them
again.
A GET with the ETag as If-None-Match returns 304 until the tree changes.
404 job_not_found. Origin 002.$$;

grant execute on function app.job_tree(bigint) to anon, authenticated, service_role;
grant execute on function public.job_tree(bigint) to anon, authenticated, service_role;
