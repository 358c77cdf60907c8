-- app.submit_run, public.submit_run
--
-- Called by   clients: service_role; and the RPCs of other modules
-- Writes      as app.submit_keyed_run
-- Errors      those of app.submit_keyed_run
-- Idempotent  same idempotency_key, same owner, same spec: returns the first run and changes
--             nothing
create or replace function app.submit_run(spec jsonb, owner_id uuid, idempotency_key text)
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return app.submit_keyed_run(
    submit_run.spec,
    submit_run.owner_id,
    submit_run.idempotency_key,
    case
      when submit_run.idempotency_key is not null
        then app.hash_request('submit_run', app.normalize_spec(submit_run.spec))
    end
  );
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
owner_id: the user who may see the run, or null. idempotency_key: 1 to 200 characters; the same key
of the same owner with the same spec returns the first run and submits nothing. The order of keys in
an object, and members left out or given with their default, make no difference.
422 spec_invalid, step_invalid, step_key_invalid, step_key_taken, step_type_unknown,
step_dependency_unknown, step_cycle, too_many_steps, too_many_dependencies, idempotency_key_invalid.
404 owner_not_found. 409 idempotency_key_taken: the key belongs to another spec. Only for
service_role. Origin 002.$$;

grant execute on function app.submit_run(jsonb, uuid, text) to service_role;
grant execute on function public.submit_run(jsonb, uuid, text) to service_role;
