-- app.job_tree, public.job_tree
--
-- Called by   the owner; service_role
-- Errors      PT404 job_not_found
-- Why         the queue knows what clients' rows do not show yet. Levels from below: each is built once
create or replace function app.job_tree(job_id bigint)
  returns jsonb
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_ids bigint[] := '{}'::bigint[];
  v_depths integer[] := '{}'::integer[];
  v_level jsonb := '{}'::jsonb;
  v_deepest integer;
begin
  perform app.require_job(job_tree.job_id);

  with recursive tree as (
    select job_tree.job_id as id, 0 as depth
    union all
    select j.id, t.depth + 1
    from tree as t
    join public.jobs as j on j.parent_id = t.id
  )
  select array_agg(t.id), array_agg(t.depth), max(t.depth)
  into v_ids, v_depths, v_deepest
  from tree as t;

  -- A level as { parent: { nodes, progress } }; only the one below is needed for the next.
  for v_depth in reverse v_deepest .. 0 loop
    select jsonb_object_agg(l.parent, l.nodes)
    into v_level
    from (
      select
        case when v_depth = 0 then 0 else n.parent_id end as parent,
        jsonb_build_object('nodes', jsonb_agg(n.node order by n.id), 'progress', avg(n.progress)) as nodes
      from (
        select
          j.id,
          j.parent_id,
          p.progress,
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
              when j.error_slug is not null then jsonb_build_object('slug', j.error_slug, 'message', j.error_message)
            end,
            'children', coalesce(v_level #> array[j.id::text, 'nodes'], '[]')
          ) as node
        from unnest(v_ids, v_depths) as t (id, depth)
        join public.jobs as j on j.id = t.id
        left join app.job_queue as q on q.job_id = j.id
        cross join lateral (
          select case
            when j.status = 'completed' then 1
            else coalesce((v_level #>> array[j.id::text, 'progress'])::numeric, j.progress::numeric)
          end as progress
        ) as p
        where t.depth = v_depth
      ) as n
      group by 1
    ) as l;
  end loop;

  return v_level #> '{0,nodes,0}';
end
$$;

comment on function app.job_tree(bigint) is 'A job and all below it; see public.job_tree.';

create or replace function public.job_tree(job_id bigint)
  returns jsonb
  language sql
  stable
  set statement_timeout = '10s'
  set search_path = ''
return app.job_tree(job_id);

comment on function public.job_tree(bigint) is
$$A job and all below it, as it stands at this moment.

Returns { id, key, type, status, progress, created_at, started_at, finished_at, error: { slug, message } | null, children: […] }.
progress: 0 to 1; of a parent that is not completed, the mean of its children. A run may complete with steps that have failed
(on_failure continue): they stand in the tree, and retry_job tries them again. 404 job_not_found. Seed 002.$$;

revoke execute on function app.job_tree(bigint) from public;
revoke execute on function public.job_tree(bigint) from public;
grant execute on function app.job_tree(bigint) to authenticated, service_role;
grant execute on function public.job_tree(bigint) to authenticated, service_role;
