-- app.save_drama_complete, public.save_drama_complete
--
-- Called by   clients for themselves; service_role for an owner; npm run dramas:import
-- Writes      dramas, drama_characters, episodes, scenes, drama_packages, drama_sizes; rate_limits
-- Errors      PT400 document_too_deep, PT401 not_signed_in, PT404 drama_not_found,
--             owner_not_found, PT409 drama_changed, external_id_taken, storage_used_up,
--             PT413 drama_too_large, PT422 drama_invalid, owner_missing, PT429 rate_limited
-- Idempotent  saving an unchanged drama changes nothing, updated_at included
-- Locks       the owner, then the drama, then its rows, then the caller's row of rate_limits
create or replace function app.save_drama_complete(drama json, owner_id uuid)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_drama_owner(save_drama_complete.owner_id);
  v_limit integer := (select s.drama_writes_per_minute from app.settings as s);
  v_cost constant integer := least(
    1 + coalesce(octet_length(save_drama_complete.drama::text), 0) / 65536, v_limit
  );
  v_id uuid;
  v_saved app.drama_packages;
begin
  perform app.require_writing();
  perform app.require_read_committed();
  -- No rate limit for the holder of the service key. Looks before the work, because a refused save
  -- of 4 MiB would write 7 MB and take a second, and count nothing.
  if auth.role() is distinct from 'service_role' then
    perform app.require_rate(
      'drama_writes', app.caller_key(), v_limit, interval '1 minute', v_cost
    );
  end if;
  perform app.require_drama_fits(save_drama_complete.drama);

  perform app.lock_drama_owner(v_owner_id);
  v_id := app.save_drama_row(save_drama_complete.drama, v_owner_id);
  perform app.save_drama_characters(
    v_id, v_owner_id, coalesce(save_drama_complete.drama -> 'characters', '[]')
  );
  perform app.save_drama_episodes(
    v_id, v_owner_id, coalesce(save_drama_complete.drama -> 'episodes', '[]')
  );
  perform app.pack_dramas(array[v_id]);

  if auth.role() is distinct from 'service_role' then
    perform app.take_rate('drama_writes', app.caller_key(), v_limit, interval '1 minute', v_cost);
  end if;

  v_saved := app.require_drama_size(v_id, v_owner_id);
  perform app.set_drama_headers(v_saved.updated_at);
  return v_saved.package;
end
$$;

comment on function app.save_drama_complete(json, uuid) is
  'Writes a drama with its characters, episodes and scenes; see public.save_drama_complete.';

create or replace function public.save_drama_complete(drama json, owner_id uuid default null)
  returns public."*/*"
  language sql
  volatile
  set statement_timeout = '10s'
  set search_path = ''
return app.save_drama_complete(drama, owner_id);

comment on function public.save_drama_complete(json, uuid) is
$$Writes a drama with its characters, episodes and scenes in one transaction.

drama: a document as docs/drama.schema.json describes it, 4 MiB at most in the form that
get_drama_complete returns. Parts that are new are inserted (their ids may be left out), changed
parts are updated, missing parts are deleted; lists keep their order.
updated_at: as get_drama_complete returned it; only a new drama may lack updated_at. options,
run_id, *_job_id and created_at are ignored, except that service_role may send the created_at of a
new drama. owner_id: service_role must send this parameter; all other callers leave it out.
Returns the drama as it is stored now.
404 drama_not_found: the drama, or a character, episode or scene in it, does not belong to the
owner. 409 drama_changed: somebody changed or deleted the drama since it was read. 409
external_id_taken. 409 storage_used_up: the plan has no room for the drama; a drama that becomes
smaller is always saved. 413 drama_too_large. 422 drama_invalid, owner_missing. 404 owner_not_found.
429 rate_limited. 400 document_too_deep; 22P05: the character \u0000. From origin 002.$$;

grant execute on function app.save_drama_complete(json, uuid) to anon, authenticated, service_role;
grant execute on function public.save_drama_complete(json, uuid)
  to anon, authenticated, service_role;
