-- app.submit_keyed_run
--
-- Writes      runs, jobs, job_queue, lanes, run_changes; runs of public; the queue: a pump
-- Errors      PT404 owner_not_found, PT409 idempotency_key_taken,
--             PT422 idempotency_key_invalid, spec_invalid, PT503 profile_missing, and those of
--             app.insert_steps
-- Idempotent  same idempotency_key, same owner: returns the first run and changes nothing
-- Locks       the owner, for key share, and without waiting in a callback; the new run, which no
--             other transaction sees; then lanes
create or replace function app.submit_keyed_run(
  spec jsonb,
  owner_id uuid,
  idempotency_key text,
  request_hash bytea
)
  returns bigint
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
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
  if jsonb_typeof(submit_keyed_run.spec) is distinct from 'object' then
    perform app.fail(
      422,
      'spec_invalid',
      'spec is not a JSON object.',
      'Send the root step: { "key": …, "type": …, "steps": [ … ] }.'
    );
  end if;

  if char_length(submit_keyed_run.idempotency_key) not between 1 and 200 then
    perform app.fail(
      422,
      'idempotency_key_invalid',
      'idempotency_key must have 1 to 200 characters.',
      'Send a key of 1 to 200 characters, or null.'
    );
  end if;

  if submit_keyed_run.owner_id is not null then
    if current_setting('plinth.holds_runs', true) = 'on' then
      -- The transaction of a callback holds runs, and a deletion of the owner waits for these runs.
      -- Raises 55P03, because waiting would be a deadlock. The worker repeats its call.
      perform
      from public.users as u
      where u.id = submit_keyed_run.owner_id
      for key share nowait;
    else
      -- Waits if another transaction is deleting the owner, and then does not find the owner.
      perform
      from public.users as u
      where u.id = submit_keyed_run.owner_id
      for key share;
    end if;
    if not found then
      perform app.refuse_owner(
        submit_keyed_run.owner_id, 'Send the id of an existing user, or null.'
      );
    end if;
  end if;

  select s.run_steps_max, s.job_events_are_kept
  into v_steps_max, v_keeps_events
  from app.settings as s;
  v_run_id := nextval('public.jobs_id_seq');
  if submit_keyed_run.idempotency_key is not null then
    -- Waits if another transaction is inserting a run with the same key, and then finds this run.
    insert into app.runs (id, owner_id, idempotency_key, request_hash, steps, created_at)
    values (
      v_run_id, submit_keyed_run.owner_id, submit_keyed_run.idempotency_key,
      submit_keyed_run.request_hash, 0, app.now()
    )
    on conflict do nothing;
    if not found then
      v_run_id := app.find_keyed_run(
        submit_keyed_run.owner_id, submit_keyed_run.idempotency_key, submit_keyed_run.request_hash
      );
      if v_run_id is null then
        -- The run was deleted between the two statements, so the key is free again.
        return app.submit_keyed_run(
          submit_keyed_run.spec, submit_keyed_run.owner_id, submit_keyed_run.idempotency_key,
          submit_keyed_run.request_hash
        );
      end if;
      return v_run_id;
    end if;
  end if;

  v_new := app.insert_steps(
    v_run_id, submit_keyed_run.owner_id, null, jsonb_build_array(submit_keyed_run.spec), true,
    v_steps_max, 0
  );
  insert into app.runs (id, owner_id, steps, created_at)
  values (v_run_id, submit_keyed_run.owner_id, v_new.total, app.now())
  on conflict on constraint runs_pkey do update set steps = excluded.steps;
  -- Clients see the run at once; app.publish_runs writes all later changes.
  insert into public.runs (
    job_id, owner_id, type, label, status, steps_open, created_at, updated_at
  )
  select v_run_id, j.owner_id, j.type, j.key, 'queued', v_new.total, j.created_at, j.created_at
  from public.jobs as j
  where j.id = v_run_id;
  if v_keeps_events then
    perform app.record_events(array[v_run_id], 'submitted');
  end if;
  if v_new.emptied <> '{}' then
    insert into app.run_changes (run_id) values (v_run_id);
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

comment on function app.submit_keyed_run(jsonb, uuid, text, bytea) is
$$Submits a run for a function that has an idempotency key; see public.submit_run.

idempotency_key: the caller's key, with the function's name before it. request_hash: the hash of the
request, from app.hash_request. 409 idempotency_key_taken: the key belongs to another request.$$;
