-- app.list_drama_fields
--
-- Why         the only list in SQL of which field has which limit; npm run db:check compares it
--             with docs/drama.schema.json, with the checks of the tables and with the worker's
--             handlers
create or replace function app.list_drama_fields()
  returns table (kind text, key text, form text)
  language plpgsql
  immutable
  rows 50
  set search_path = ''
as $$
begin
  return query
  values
    ('drama', 'id', 'id'),
    ('drama', 'external_id', 'external_id'),
    ('drama', 'title', 'short_text'),
    ('drama', 'premise', 'long_text'),
    ('drama', 'logline', 'medium_text'),
    ('drama', 'genre', 'label_text'),
    ('drama', 'language', 'tiny_text'),
    ('drama', 'style', 'medium_text'),
    ('drama', 'model', 'tiny_text'),
    ('drama', 'cover_url', 'http_url'),
    ('drama', 'options', 'ignored'),
    ('drama', 'extra', 'extra'),
    ('drama', 'run_id', 'ignored'),
    ('drama', 'created_at', 'ignored'),
    ('drama', 'updated_at', 'time'),
    ('drama', 'characters', 'character_list'),
    ('drama', 'episodes', 'episode_list'),
    ('character', 'id', 'id'),
    ('character', 'name', 'short_text'),
    ('character', 'role', 'short_text'),
    ('character', 'description', 'long_text'),
    ('character', 'appearance', 'long_text'),
    ('character', 'portrait_url', 'http_url'),
    ('character', 'portrait_job_id', 'ignored'),
    ('character', 'extra', 'extra'),
    ('episode', 'id', 'id'),
    ('episode', 'title', 'short_text'),
    ('episode', 'summary', 'long_text'),
    ('episode', 'script', 'huge_text'),
    ('episode', 'extra', 'extra'),
    ('episode', 'scenes', 'scene_list'),
    ('scene', 'id', 'id'),
    ('scene', 'title', 'short_text'),
    ('scene', 'summary', 'long_text'),
    ('scene', 'text', 'huge_text'),
    ('scene', 'image_prompt', 'long_text'),
    ('scene', 'video_prompt', 'long_text'),
    ('scene', 'character_ids', 'character_ids'),
    ('scene', 'image_url', 'http_url'),
    ('scene', 'image_job_id', 'ignored'),
    ('scene', 'video_url', 'http_url'),
    ('scene', 'video_job_id', 'ignored'),
    ('scene', 'audio_url', 'http_url'),
    ('scene', 'extra', 'extra');
end
$$;

comment on function app.list_drama_fields() is
$$Lists the fields of a drama's document, which docs/drama.schema.json describes.

Returns kind (drama, character, episode or scene), key and form: a domain of schema app without its
schema; id (a UUID); time; or ignored (get_drama_complete returns it, save_drama_complete ignores
it).$$;
