-- app.has_cycle
--
-- Why         Kahn's algorithm over arrays takes linear time; a recursive query would walk every
--             path
create or replace function app.has_cycle(from_ids bigint[], to_ids bigint[])
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  -- The ids of all steps that an edge names, sorted. A step's place is its index here.
  v_nodes bigint[] := array(
    select distinct n.id
    from unnest(has_cycle.from_ids || has_cycle.to_ids) as n (id)
    order by n.id
  );
  v_size integer := cardinality(v_nodes);
  v_from integer[];
  -- Per place: where in v_from its dependents begin, and for how many steps it waits.
  v_starts integer[];
  v_waits integer[];
  v_ready integer[];
  v_head integer := 1;
  v_node integer;
begin
  -- Edges as places, sorted by the step that is waited for.
  select
    array_agg(f.place::integer order by t.place, f.place),
    array_agg(t.place::integer order by t.place, f.place)
  into v_from, v_ready
  from unnest(has_cycle.from_ids, has_cycle.to_ids) as e (from_id, to_id)
  join unnest(v_nodes) with ordinality as f (id, place) on f.id = e.from_id
  join unnest(v_nodes) with ordinality as t (id, place) on t.id = e.to_id;

  v_starts := array_fill(0, array[v_size + 1]);
  v_waits := array_fill(0, array[v_size]);
  for v_edge in 1 .. cardinality(v_from) loop
    v_starts[v_ready[v_edge] + 1] := v_starts[v_ready[v_edge] + 1] + 1;
    v_waits[v_from[v_edge]] := v_waits[v_from[v_edge]] + 1;
  end loop;
  for v_place in 2 .. v_size + 1 loop
    v_starts[v_place] := v_starts[v_place] + v_starts[v_place - 1];
  end loop;

  v_ready := '{}';
  for v_place in 1 .. v_size loop
    if v_waits[v_place] = 0 then
      v_ready := v_ready || v_place;
    end if;
  end loop;
  while v_head <= cardinality(v_ready) loop
    v_node := v_ready[v_head];
    v_head := v_head + 1;
    for v_edge in v_starts[v_node] + 1 .. v_starts[v_node + 1] loop
      v_waits[v_from[v_edge]] := v_waits[v_from[v_edge]] - 1;
      if v_waits[v_from[v_edge]] = 0 then
        v_ready := v_ready || v_from[v_edge];
      end if;
    end loop;
  end loop;

  return cardinality(v_ready) < v_size;
end
$$;

comment on function app.has_cycle(bigint[], bigint[]) is
  'Whether steps wait for each other in a cycle: step from_ids[i] waits for step to_ids[i].';
