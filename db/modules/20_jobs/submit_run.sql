-- app.submit_run, public.submit_run
--
-- Called by   clients: service_role; and the RPCs of other modules
-- Writes      runs, jobs, job_queue, lanes; the queue: a pump
-- Errors      PT404 owner_not_found, PT422 idempotency_key_invalid, spec_invalid, and those of
--             app.insert_steps
-- Idempotent  same idempotency_key, same owner: returns the first run and changes nothing
-- Locks       the owner, for key share, and without waiting in a callback; the new run, which no
--             other transaction sees; then lanes
create or replace function app.submit_run(spec jsonb, owner_id uuid, idempotency_key text)
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 8.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_run_id bigint;
  v_steps_max integer;
  v_keeps_events boolean;
  v_new record;
  v_settled record;
begin
  if jsonb_typeof(submit_run.spec) is distinct from 'object' then
    perform app.fail(
      422,
      'spec_invalid',
      'spec is not a JSON object.',
      'Send the root step: { "key": …, "type": …, "steps": [ … ] }.'
    );
  end if;

  if char_length(submit_run.idempotency_key) not between 1 and 200 then
    perform app.fail(
      422,
      'idempotency_key_invalid',
      'idempotency_key must have 1 to 200 characters.',
      'Send a key of 1 to 200 characters, or null.'
    );
  end if;

  if submit_run.owner_id is not null then
    if current_setting('plinth.holds_runs', true) = 'on' then
      -- In a callback: the transaction holds runs, and the deletion of the owner waits for those.
      -- So 55P03 instead of a deadlock; the worker repeats its call.
      perform
      from public.users as u
      where u.id = submit_run.owner_id
      for key share nowait;
    else
      -- Waits if another transaction is deleting the owner, and then does not find them.
      perform
      from public.users as u
      where u.id = submit_run.owner_id
      for key share;
    end if;
    if not found then
      perform app.fail(
        404, 'owner_not_found', 'Owner not found.', 'Send the id of an existing user, or null.'
      );
    end if;
  end if;

  select s.run_steps_max, s.job_events_are_kept
  into v_steps_max, v_keeps_events
  from app.settings as s;
  v_run_id := nextval('public.jobs_id_seq');
  if submit_run.idempotency_key is not null then
    -- Waits if another request with the same key is under way, and then finds its run.
    insert into app.runs (id, owner_id, idempotency_key, steps, created_at)
    values (v_run_id, submit_run.owner_id, submit_run.idempotency_key, 0, app.now())
    on conflict do nothing;
    if not found then
      select r.id into v_run_id
      from app.runs as r
      where r.owner_id is not distinct from submit_run.owner_id
        and r.idempotency_key = submit_run.idempotency_key;
      if not found then
        -- The run was deleted between the two statements, so the key is free again.
        return app.submit_run(submit_run.spec, submit_run.owner_id, submit_run.idempotency_key);
      end if;
      return v_run_id;
    end if;
  end if;

  v_new := app.insert_steps(
    v_run_id, submit_run.owner_id, null, jsonb_build_array(submit_run.spec), true, v_steps_max, 0
  );
  insert into app.runs (id, owner_id, steps, created_at)
  values (v_run_id, submit_run.owner_id, v_new.total, app.now())
  on conflict on constraint runs_pkey do update set steps = excluded.steps;
  if v_keeps_events then
    perform app.record_events(array[v_run_id], 'submitted');
  end if;
  if v_new.emptied <> '{}' then
    v_settled := app.settle_steps('{}', '{}', v_new.emptied);
    v_new.queued := v_new.queued || v_settled.queued_ids;
    if v_settled.ended_ids <> '{}' then
      perform app.run_callbacks('{}', '{}', v_settled.ended_ids);
    end if;
  end if;
  if v_new.queued <> '{}' then
    perform app.wake_lanes(v_new.queued);
    perform app.enqueue_pump();
  end if;

  return v_run_id;
end
$$;

comment on function app.submit_run(jsonb, uuid, text) is 'Submits a run; see public.submit_run.';

create or replace function public.submit_run(
  spec jsonb,
  owner_id uuid default null,
  idempotency_key text default null
)
  returns bigint
  language sql
  volatile
  -- 20,000 groups that depend on each other complete at once, which takes 10 s.
  set statement_timeout = '60s'
  set search_path = ''
return app.submit_run(spec, owner_id, idempotency_key);

comment on function public.submit_run(jsonb, uuid, text) is
$$Submits a run of background steps and returns its id.

spec: the root step, { key, type, input, depends_on, steps, on_failure, collect, priority }. Only
key and type are required.
- key: 1 to 80 characters of a-z, 0-9, "_", ".", ":" and "-", unique among siblings.
- type: a name of job_types. A step of type "group" has no work of its own.
- input: any JSON, at most 1 MiB.
- steps: the children, in the same form, at most 100 levels deep.
- depends_on: keys of siblings. A step starts when these are settled and the own work of its parent
is done. Its handler gets their outputs as { key: output }.
- on_failure: fail_run (the run fails), skip_dependents, or continue (dependents get { "error": slug
} as output). Default: the on_failure of the type.
- collect: "children" adds the outputs of the children to the output that dependents get. If the
output has the same key, the child's output wins.
- priority: -100 to 100, lower first.
Example: { "key": "report", "type": "group", "steps": [{ "key": "a", "type": "group" }, { "key":
"b", "type": "group", "depends_on": ["a"] }] }.
owner_id: the user who may see the run, or null. idempotency_key: 1 to 200 characters; a repeated
key of the same owner returns the first run, whatever the spec.
422 spec_invalid, step_invalid, step_key_invalid, step_key_taken, step_type_unknown,
step_dependency_unknown, step_cycle, too_many_steps, too_many_dependencies, idempotency_key_invalid.
404 owner_not_found. Only for service_role. Origin 002.$$;

grant execute on function app.submit_run(jsonb, uuid, text) to service_role;
grant execute on function public.submit_run(jsonb, uuid, text) to service_role;
