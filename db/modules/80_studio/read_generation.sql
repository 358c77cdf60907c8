-- worker.read_generation
--
-- Called by   the worker, once per attempt
-- Writes      generation_files: a row for the file of this attempt
-- Errors      PT409 step_lost; 55P03 if another transaction is ending the step: the worker repeats
--             the call
-- Locks       the queue row, for key share. The transaction that ends the step deletes this row, so
--             that transaction waits, and then sees the file
-- Why         the row of a file exists before its object, so every object of bucket generations has
--             a row that leads to its deletion
create or replace function worker.read_generation(step_id bigint, fence bigint)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set lock_timeout = '1s'
as $$
declare
  v_generation record;
  v_file_id uuid;
begin
  select
    g.id, g.user_id, g.kind, d.model, d.prompt, d.result_schema, d.original_path, d.original_etag,
    d.original_size
  into v_generation
  from app.job_queue as q
  -- Index lookups even on empty tables: ADR 16.
  join app.generation_details as d on d.run_id = any (array[q.job_id])
  join public.generations as g on g.id = any (array[d.generation_id])
  where q.job_id = read_generation.step_id
    and q.fence = read_generation.fence
    and q.worker_id is not null
    and d.ended_at is null
  for key share of q;
  if not found then
    perform app.fail(
      409,
      'step_lost',
      'The worker no longer holds this step.',
      'Abort the handler of the step, because its result would be refused.'
    );
  end if;

  insert into app.generation_files (user_id, generation_id, created_at)
  values (v_generation.user_id, v_generation.id, app.now())
  returning file_id into v_file_id;

  return jsonb_build_object(
    'generation_id', v_generation.id,
    'kind', v_generation.kind,
    'model', v_generation.model,
    'prompt', v_generation.prompt,
    'result_schema', v_generation.result_schema,
    'original', jsonb_build_object(
      'path', v_generation.original_path,
      'etag', v_generation.original_etag,
      'size', v_generation.original_size
    ),
    'target', v_generation.user_id || '/' || v_file_id
  );
end
$$;

comment on function worker.read_generation(bigint, bigint) is
$$Returns what a step of process_image or analyze_face needs, and reserves the file of this attempt.

Returns { generation_id, kind, model, prompt (rendered), result_schema (null for images), original:
{ path, etag, size } (an object of bucket user_uploads), target }. target: the key of the result in
bucket generations, without its extension; each call returns a new one. The handler adds .png, .jpg
or .webp, and returns { object_key } or { result }. 409 step_lost: the worker does not hold the
step, or the generation is deleted. Only for workers.$$;

grant execute on function worker.read_generation(bigint, bigint) to worker;
