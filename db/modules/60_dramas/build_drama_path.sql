-- app.build_drama_path
create or replace function app.build_drama_path(drama_id uuid)
  returns text
  language sql
  immutable
  set search_path = ''
return '/dramas?id=eq.' || drama_id;

comment on function app.build_drama_path(uuid) is
  'Returns the Location of a drama below the URL of the API, in the form that PostgREST uses.';
