-- app.list_drama_options
--
-- Why         as app.list_drama_fields
create or replace function app.list_drama_options()
  returns table (key text, type text, domain regtype, size integer)
  language plpgsql
  stable
  rows 10
  set search_path = ''
as $$
begin
  return query
  with options (key, type, domain) as (
    values
      ('episodes', 'number', 'app.wanted_episodes'::regtype),
      ('scenes_per_episode', 'number', 'app.wanted_scenes'),
      ('characters', 'number', 'app.wanted_characters'),
      ('with_video', 'boolean', null),
      ('language', 'string', 'app.tiny_text'),
      ('style', 'string', 'app.medium_text'),
      ('image_model', 'string', 'app.tiny_text'),
      ('video_model', 'string', 'app.tiny_text')
  )
  select o.key, o.type, o.domain, app.get_domain_limit(o.domain)
  from options as o;
end
$$;

comment on function app.list_drama_options() is
$$Lists the options of generate_drama.

Returns key, type (of JSON), domain (its limit, or null) and size (the number of that limit).$$;
