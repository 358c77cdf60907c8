-- app.count_wanted_media
create or replace function app.count_wanted_media(
  options jsonb,
  out images integer,
  out videos integer
)
  returns record
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_scenes constant integer := (count_wanted_media.options ->> 'episodes')::integer
    * (count_wanted_media.options ->> 'scenes_per_episode')::integer;
begin
  images := (count_wanted_media.options ->> 'characters')::integer + v_scenes;
  videos := case
    when (count_wanted_media.options ->> 'with_video')::boolean then v_scenes
    else 0
  end;
end
$$;

comment on function app.count_wanted_media(jsonb) is
$$Counts the media that a drama with these options has when it is complete.

options: from app.parse_drama_options. Each character has a portrait, each scene an image and, with
with_video, a video.$$;
