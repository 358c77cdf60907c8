-- app.find_keyed_drama
--
-- Errors      PT404 drama_not_found, PT409 idempotency_key_taken
-- Why         the drama keeps its key after its run is deleted; the run keeps the key, as long as
--             it exists, after its drama is deleted
create or replace function app.find_keyed_drama(
  owner_id uuid,
  idempotency_key text,
  request_hash bytea
)
  returns public.dramas
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_drama public.dramas;
  v_run_id bigint;
begin
  select d.* into v_drama
  from public.dramas as d
  where d.owner_id = find_keyed_drama.owner_id
    and d.idempotency_key = find_keyed_drama.idempotency_key;
  if found then
    perform app.require_same_request(
      (select r.request_hash from app.drama_requests as r where r.drama_id = v_drama.id),
      find_keyed_drama.request_hash
    );
    return v_drama;
  end if;

  v_run_id := app.find_keyed_run(
    find_keyed_drama.owner_id,
    'generate_drama:' || find_keyed_drama.idempotency_key,
    find_keyed_drama.request_hash
  );
  if v_run_id is not null then
    select d.* into v_drama
    from app.drama_runs as r
    join public.dramas as d on d.id = r.drama_id
    where r.run_id = v_run_id;
    if not found then
      perform app.fail(
        404,
        'drama_not_found',
        'The drama that was generated with this idempotency key was deleted.',
        'Send another idempotency key.'
      );
    end if;
  end if;

  return v_drama;
end
$$;

comment on function app.find_keyed_drama(uuid, text, bytea) is
$$Returns the drama that an owner generated with this idempotency key, or a row of nulls.

404 drama_not_found: the drama was deleted. 409 idempotency_key_taken: the key belongs to another
request.$$;
