-- app.insert_children
--
-- Writes      the rows that app.insert_steps writes; runs.steps
-- Errors      those of app.insert_steps
-- Locks       none; the caller holds the run
create or replace function app.insert_children(
  run_id bigint,
  parent_id bigint,
  steps jsonb,
  is_open boolean,
  steps_max integer,
  out total integer,
  out direct integer,
  out queued bigint[],
  out emptied bigint[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_run app.runs;
begin
  select r.* into v_run
  from app.runs as r
  where r.id = insert_children.run_id;

  select n.total, n.direct, n.queued, n.emptied
  into total, direct, queued, emptied
  from app.insert_steps(
    insert_children.run_id,
    v_run.owner_id,
    insert_children.parent_id,
    insert_children.steps,
    insert_children.is_open,
    insert_children.steps_max - v_run.steps,
    app.count_levels(insert_children.parent_id)
  ) as n;

  update app.runs as r
  set steps = r.steps + insert_children.total
  where r.id = insert_children.run_id;
end
$$;

comment on function app.insert_children(bigint, bigint, jsonb, boolean, integer) is
$$Inserts the children that a completed step returned, below that step.

steps_max: how many steps the run may have. The other parameters and the columns of the answer: see
app.insert_steps.$$;
