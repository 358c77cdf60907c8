-- app.default_drama_options
create or replace function app.default_drama_options()
  returns jsonb
  language sql
  immutable
  set search_path = ''
return '{
  "episodes": 3,
  "scenes_per_episode": 4,
  "characters": 4,
  "with_video": false,
  "language": "English",
  "style": ""
}'::jsonb;

comment on function app.default_drama_options() is
  'Returns the options of generate_drama that a request may leave out, except models.';
