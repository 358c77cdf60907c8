-- app.save_drama_complete, public.save_drama_complete
--
-- Called by   clients for themselves; service_role for an owner; npm run dramas:import
-- Writes      dramas, drama_characters, episodes, scenes, drama_packages; rate_limits
-- Errors      PT401 not_signed_in, PT404 drama_not_found, owner_not_found, PT409 drama_changed,
--             external_id_taken, PT413 drama_too_large,
--             PT422 drama_invalid, owner_missing, PT429 rate_limited
-- Idempotent  saving what stands there changes nothing, its updated_at included
-- Locks       the owner, then the drama, then the rows below it, then the caller's row of rate_limits
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
  v_id uuid;
  v_saved app.drama_packages;
begin
  perform app.require_read_committed();
  perform app.require_drama_fits(save_drama_complete.drama);

  perform app.hold_drama_owner(v_owner_id);
  v_id := app.save_drama_row(save_drama_complete.drama, v_owner_id);
  perform app.save_drama_characters(v_id, v_owner_id, coalesce(save_drama_complete.drama -> 'characters', '[]'));
  perform app.save_drama_episodes(v_id, v_owner_id, coalesce(save_drama_complete.drama -> 'episodes', '[]'));
  perform app.pack_dramas(array[v_id]);

  -- Who has the service key is trusted.
  if auth.role() is distinct from 'service_role' then
    perform app.take_rate(
      'drama_writes',
      app.caller_key(),
      v_limit,
      interval '1 minute',
      least(1 + octet_length(save_drama_complete.drama::text) / 65536, v_limit)
    );
  end if;

  select p.* into v_saved
  from app.drama_packages as p
  where p.drama_id = v_id;
  -- What is read must be savable as it was read.
  if octet_length(v_saved.package::text) > 4194304 then
    perform app.fail(413, 'drama_too_large', 'A drama may have 4 MiB at most.', 'Keep large texts elsewhere, and their URLs here.');
  end if;
  perform app.send_drama(v_saved.updated_at);
  return v_saved.package;
end
$$;

comment on function app.save_drama_complete(json, uuid) is 'Writes a drama with all that is below it; see public.save_drama_complete.';

create or replace function public.save_drama_complete(drama json, owner_id uuid default null)
  returns public."*/*"
  language sql
  volatile
  set statement_timeout = '10s'
  set search_path = ''
return app.save_drama_complete(drama, owner_id);

comment on function public.save_drama_complete(json, uuid) is
$$Writes a drama with its characters, episodes and scenes: all of it, or nothing.

drama: the document that docs/drama.schema.json describes, 4 MiB at most as get_drama_complete sends it. What is new is inserted
(ids may be left out), what has changed is updated, what is not in it is deleted; lists keep their order. updated_at: as
get_drama_complete gave it; it may be left out for a new drama only. options, run_id, *_job_id and created_at are passed over. owner_id: for service_role,
which must name it.
Returns the drama as it stands then. 404 drama_not_found: it, or something in it, is not the owner's. 409 drama_changed: it
was changed or deleted meanwhile. 409 external_id_taken. 413 drama_too_large. 422 drama_invalid, owner_missing. 404 owner_not_found. 429 rate_limited.
400 22P05: the character \u0000. Seed 002.$$;

grant execute on function app.save_drama_complete(json, uuid) to authenticated, service_role;
grant execute on function public.save_drama_complete(json, uuid) to authenticated, service_role;
