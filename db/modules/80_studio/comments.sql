-- Comments on the tables and columns of this module.

comment on table public.tools is
$$The tools of the studio. service_role and operators write this table.

Subscribe to learn that a tool changes or is disabled. From origin 004.$$;
comment on column public.tools.key is 'A name for programs that does not change.';
comment on column public.tools.category is 'The group in which clients show the tool.';
comment on column public.tools.kind is
  'image: the result is an image. analysis: the result is JSON that follows result_schema.';
comment on column public.tools.prompt is
  'The prompt for the model. {{name}} stands for a property of parameters.';
comment on column public.tools.model is 'The model that runs the tool, by its name at Gemini.';
comment on column public.tools.parameters is
  'A JSON Schema of the parameters: an object of strings, numbers and booleans, each with limits.';
comment on column public.tools.result_schema is
  'A JSON Schema of the result of an analysis. Null for images.';
comment on column public.tools.cost is 'How many credits a use of the tool costs.';
comment on column public.tools.enabled is 'Whether the tool is offered.';
comment on column public.tools.version is
  'Rises when prompt, model, parameters, kind or result_schema changes.';
comment on column public.tools.sort is 'Clients list tools by sort, lowest first.';

comment on table public.hairstyles is
  'Hairstyles to choose from. service_role and operators write this table. From origin 004.';
comment on column public.hairstyles.key is 'A name for programs that does not change.';
comment on column public.hairstyles.category is 'The group in which clients show the hairstyle.';
comment on column public.hairstyles.prompt is
  'The hairstyle in words for a model: a value for parameter hairstyle of a tool.';
comment on column public.hairstyles.image_url is 'A picture of the hairstyle. Null: none.';
comment on column public.hairstyles.enabled is 'Whether the hairstyle is offered.';
comment on column public.hairstyles.sort is 'Clients list hairstyles by sort, lowest first.';

comment on table public.colors is
  'Colors to choose from. service_role and operators write this table. From origin 004.';
comment on column public.colors.key is 'A name for programs that does not change.';
comment on column public.colors.category is 'The group in which clients show the color.';
comment on column public.colors.hex is 'The color as #rrggbb, for a swatch.';
comment on column public.colors.prompt is
  'The color in words for a model: a value for parameter color of a tool.';
comment on column public.colors.enabled is 'Whether the color is offered.';
comment on column public.colors.sort is 'Clients list colors by sort, lowest first.';

comment on schema cache is 'The cache of origin 004. No client enters this schema.';
comment on table cache.kv_store is
  'Results of generations, so that an identical request is answered at once. From origin 004.';
comment on column cache.kv_store.key is 'From app.hash_generation.';
comment on column cache.kv_store.value is
  '{ generation_id, url, result }. An entry whose generation is deleted is never used.';
comment on column cache.kv_store.expires_at is
  'From this time on, the entry is not used. The schedule cleanup-cache deletes the entry.';

comment on table public.generations is
$$The images and analyses that process_image and analyze_face have made or are making.

Users set is_favourite and delete generations that have ended. The deletion removes the result from
the cache, and a job deletes the image. Watch the row through Realtime, or poll it.

From origin 004.$$;
comment on column public.generations.tool_id is 'The tool. Null once the tool is deleted.';
comment on column public.generations.tool_key is 'The key of the tool at the time of the request.';
comment on column public.generations.kind is
  'image: url has the result. analysis: result has the result.';
comment on column public.generations.status is
  'pending, then completed, failed or cancelled. Only a completed generation costs credits.';
comment on column public.generations.tool_parameters is
  'The parameters of the request, with defaults filled in.';
comment on column public.generations.url is
  'The URL of the image, which everybody who knows the URL can load. Null until completed.';
comment on column public.generations.result is
  'The result of an analysis, which follows the result_schema of its tool.';
comment on column public.generations.error is 'Why the generation failed, in a sentence for users.';
comment on column public.generations.credits is 'How many credits the generation costs.';
comment on column public.generations.is_favourite is 'Set by the user.';
comment on column public.generations.run_id is 'The run that makes the generation, for job_tree.';
comment on column public.generations.completed_at is 'When the generation was completed.';

comment on table app.generation_details is 'The private part of a generation.';
comment on column app.generation_details.run_id is
  'The run, which is deleted earlier than the generation.';
comment on column app.generation_details.cache_key is
  'From app.hash_generation. One generation with this key is pending at a time.';
comment on column app.generation_details.prompt is
  'The prompt with the values of its parameters. Null once the generation has ended.';
comment on column app.generation_details.original_path is
  'The photo: the name of an object in bucket user_uploads.';
comment on column app.generation_details.original_etag is
  'The ETag of the photo at the request. If the photo changes later, the step fails.';
comment on column app.generation_details.ended_at is
  'When the generation ended. Null: it is pending.';

comment on table app.generation_requests is
  'The idempotency keys of process_image and analyze_face. A schedule deletes them.';
comment on column app.generation_requests.is_cached is 'Whether the cache answered the request.';

comment on table app.generation_files is
$$The objects of bucket generations: a row per attempt, which exists before its object.

The key of the object is <user_id>/<file_id>, and an extension.$$;
comment on column app.generation_files.generation_id is
  'The generation, which may have been deleted since.';
comment on column app.generation_files.delete_at is
  'When a worker may delete the object. Null: an attempt is running, or the file is the '
  'result of its generation.';
comment on column app.generation_files.claim_id is 'The last claim of a worker.';
comment on column app.generation_files.attempts is 'How often a worker has claimed the file.';

comment on table app.deleted_folders is
  'The folders of deleted users, whose objects a worker deletes.';
comment on column app.deleted_folders.delete_at is 'When a worker may delete the objects.';
comment on column app.deleted_folders.claim_id is 'The last claim of a worker.';
comment on column app.deleted_folders.attempts is 'How often a worker has claimed the folder.';

comment on type app.generation_answer is
  'The generation that answers a request. A null generation_id: no generation.';
comment on type app.generation_output is 'The usable output of a step of a generation.';

comment on column app.settings.storage_url is
  'The URL of Supabase Storage for clients, without a final slash, such as '
  'https://<ref>.supabase.co/storage/v1. Without it, process_image answers 503 '
  'storage_not_configured.';
comment on column app.settings.original_max_bytes is
  'How many bytes a photo may have. The limit of bucket user_uploads also applies. Limit per '
  'photo: 422 original_too_large.';
comment on column app.settings.originals_per_day is
  'How many photos a user may upload per day, also if the user replaces or deletes some. The '
  'message of Storage says the limits and the seconds to wait. Limit per user: 403 from Storage.';
comment on column app.settings.original_bytes_per_day is
  'How many bytes of photos a user may upload per day. Storage answers as for originals_per_day. '
  'Limit per user: 403 from Storage.';
comment on column app.settings.upload_retention is
  'How long an object of bucket user_uploads is kept.';
comment on column app.settings.cache_ttl is
  'How long the cache answers identical requests with a result.';
comment on column app.settings.generations_open is
  'How many generations of a user may be pending. Limit per user: 429 generations_open.';
comment on column app.settings.generations_per_day is
  'How many generations a user may start per day. Answers from the cache do not count; failed '
  'generations count, because the provider is paid. Limit per user: 429 rate_limited.';
comment on column app.settings.generation_keys_per_day is
  'How many requests with an idempotency_key per day the cache or a pending generation may answer. '
  'Limit per user: 429 rate_limited.';
comment on column app.settings.generation_key_retention is
  'How long the idempotency_key of a request is kept.';
comment on column app.settings.generation_file_grace is
  'How long after the end of its generation the file of a lost attempt is deleted. Must be longer '
  'than a worker that has lost its step may need to upload a file.';
