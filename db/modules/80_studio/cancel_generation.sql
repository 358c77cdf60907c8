-- app.cancel_generation, public.cancel_generation
--
-- Called by   clients
-- Writes      generations; as app.cancel_runs, app.close_generations
-- Errors      PT401 not_signed_in, PT405 post_required, PT404 generation_not_found,
--             PT409 generation_ended
-- Idempotent  a cancelled generation stays cancelled
-- Locks       the run; then as app.end_generations
create or replace function app.cancel_generation(generation_id uuid)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_user_id uuid := app.require_user();
  v_generation public.generations;
begin
  perform app.require_writing();
  select g.* into v_generation
  from public.generations as g
  where g.id = any (array[cancel_generation.generation_id]) and g.user_id = v_user_id;
  if v_generation.status = 'pending' then
    -- Waits while a worker stores the result. The run has then ended, and is not cancelled.
    perform app.cancel_runs(array[v_generation.run_id]);
    -- The callback has failed. app.repeat_callbacks releases the credits later.
    update public.generations as g
    set status = 'cancelled'
    where g.id = v_generation.id and g.status = 'pending';
    if found then
      perform app.close_generations(array[v_generation.id]);
    end if;
    select g.* into v_generation
    from public.generations as g
    where g.id = any (array[cancel_generation.generation_id]) and g.user_id = v_user_id;
  end if;
  if v_generation.id is null then
    perform app.fail(
      404,
      'generation_not_found',
      'Generation not found.',
      'Send the id of a row that table generations shows to you.'
    );
  elsif v_generation.status <> 'cancelled' then
    perform app.fail(
      409,
      'generation_ended',
      format('The generation has already %s.', v_generation.status),
      'There is nothing to cancel. Delete the row of generations to remove it.'
    );
  end if;

  return app.build_generation(
    v_user_id,
    (v_generation.id, v_generation.status, false, v_generation.url, v_generation.result)
  );
end
$$;

comment on function app.cancel_generation(uuid) is
  'Cancels a generation; see public.cancel_generation.';

create or replace function public.cancel_generation(generation_id uuid)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return app.cancel_generation(generation_id);

comment on function public.cancel_generation(uuid) is
$$Cancels a pending generation at once, and releases its credits.

Returns the answer of process_image, with status cancelled. The generation is cancelled for all
requests that got it. A repeated call changes nothing. 401 not_signed_in. 404 generation_not_found.
409 generation_ended: it is completed or failed.$$;

grant execute on function app.cancel_generation(uuid) to anon, authenticated;
grant execute on function public.cancel_generation(uuid) to anon, authenticated;
