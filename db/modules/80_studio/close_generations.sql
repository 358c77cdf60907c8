-- app.close_generations
--
-- Writes      generation_details, generation_files
-- Locks       details and files; the caller holds the generations
create or replace function app.close_generations(generation_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update app.generation_details as d
  set ended_at = app.now(), prompt = null
  where d.generation_id = any (close_generations.generation_ids) and d.ended_at is null;
  update app.generation_files as f
  set delete_at = app.now() + (select s.generation_file_grace from app.settings as s)
  where f.generation_id = any (close_generations.generation_ids) and f.delete_at is null;
end
$$;

comment on function app.close_generations(uuid[]) is
$$Records that these generations have ended without a result.

Their prompts are deleted now, and their files after app.settings.generation_file_grace, because a
worker that has lost its step may still upload a file.$$;
