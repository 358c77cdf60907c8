-- app.export_generations
create or replace function app.export_generations(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'id', g.id,
    'tool_id', g.tool_id,
    'tool_key', g.tool_key,
    'kind', g.kind,
    'status', g.status,
    'tool_parameters', g.tool_parameters,
    'url', g.url,
    'result', g.result,
    'error', g.error,
    'credits', g.credits,
    'is_favourite', g.is_favourite,
    'run_id', g.run_id,
    'prompt', d.prompt,
    'original_path', d.original_path,
    'original_etag', d.original_etag,
    'original_size', d.original_size,
    'files', (
      select json_agg(
        json_build_object(
          -- The id of any other file would open an image that nobody has paid for.
          'file_id', case when g.status = 'completed' and f.delete_at is null then f.file_id end,
          'created_at', f.created_at,
          'delete_at', f.delete_at
        ) order by f.created_at, f.file_id
      )
      from app.generation_files as f
      where f.generation_id = g.id
    ),
    'created_at', g.created_at,
    'updated_at', g.updated_at,
    'completed_at', g.completed_at,
    'ended_at', d.ended_at
  )
  from public.generations as g
  left join app.generation_details as d on d.generation_id = g.id
  where g.user_id = export_generations.user_id
  order by g.created_at, g.id
$$;

comment on function app.export_generations(uuid) is
  'Returns the generations of a user with their photos and files, for app.export_user_data.';
