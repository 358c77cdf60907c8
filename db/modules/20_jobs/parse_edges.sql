-- app.parse_edges
--
-- Errors      PT422 step_dependency_unknown, step_cycle
create or replace function app.parse_edges(
  ids bigint[],
  parent_ids bigint[],
  keys text[],
  specs jsonb[],
  out from_ids bigint[],
  out to_ids bigint[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
  -- Hash joins only, for the reason that app.parse_steps names.
  set enable_nestloop = off
  set enable_hashjoin = on
as $$
declare
  v_fault text;
begin
  select
    array_agg(e.from_id order by e.to_id, e.from_id),
    array_agg(e.to_id order by e.to_id, e.from_id),
    min(coalesce(e.key, 'null')) filter (where e.to_id is null)
  into from_ids, to_ids, v_fault
  from (
    select distinct n.id as from_id, o.id as to_id, d.key
    from unnest(parse_edges.ids, parse_edges.parent_ids, parse_edges.specs)
      as n (id, parent_id, spec)
    cross join lateral jsonb_array_elements_text(n.spec -> 'depends_on') as d (key)
    left join unnest(parse_edges.ids, parse_edges.parent_ids, parse_edges.keys)
      as o (id, parent_id, key)
      on coalesce(o.parent_id, 0) = coalesce(n.parent_id, 0) and o.key = d.key
  ) as e;
  if v_fault is not null then
    perform app.fail(
      422,
      'step_dependency_unknown',
      format('A step depends on "%s", but no sibling has this key.', left(v_fault, 80)),
      'Let depends_on list keys of steps in the same array.'
    );
  end if;

  -- Without an edge to a later step there cannot be a cycle.
  if exists (select from unnest(from_ids, to_ids) as e (from_id, to_id) where e.to_id >= e.from_id)
    and app.has_cycle(from_ids, to_ids)
  then
    perform app.fail(
      422,
      'step_cycle',
      'Steps depend on each other in a cycle.',
      'Remove a dependency, so that one of the steps can start first.'
    );
  end if;
end
$$;

comment on function app.parse_edges(bigint[], bigint[], text[], jsonb[]) is
$$Parses the dependencies of new steps as edges: step from_ids[i] depends on step to_ids[i].

The four parameters describe the steps as app.parse_steps returns them. Sorted by to_ids.$$;
