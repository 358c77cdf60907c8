-- app.find_keyed_run
--
-- Errors      PT409 idempotency_key_taken
create or replace function app.find_keyed_run(
  owner_id uuid,
  idempotency_key text,
  request_hash bytea
)
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_run record;
begin
  select r.id, r.request_hash into v_run
  from app.runs as r
  -- In two parts, because "is not distinct from" uses no index.
  where (
      r.owner_id = find_keyed_run.owner_id
      or (find_keyed_run.owner_id is null and r.owner_id is null)
    )
    and r.idempotency_key = find_keyed_run.idempotency_key;
  if not found then
    return null;
  end if;
  perform app.require_same_request(v_run.request_hash, find_keyed_run.request_hash);

  return v_run.id;
end
$$;

comment on function app.find_keyed_run(uuid, text, bytea) is
$$Returns the run that an owner submitted with this idempotency key, or null.

409 idempotency_key_taken: the key belongs to another request.$$;
