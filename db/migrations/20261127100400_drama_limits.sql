-- A drama's limits stand once, in domains, instead of in tables, functions and handlers: ADR 11.
set local lock_timeout = '5s';

create domain app.tiny_text as text
  constraint tiny_text_fits check (char_length(value) <= 100);
create domain app.label_text as text
  constraint label_text_fits check (char_length(value) <= 200);
create domain app.short_text as text
  constraint short_text_fits check (char_length(value) <= 500);
create domain app.medium_text as text
  constraint medium_text_fits check (char_length(value) <= 2000);
create domain app.long_text as text
  constraint long_text_fits check (char_length(value) <= 10000);
create domain app.huge_text as text
  constraint huge_text_fits check (char_length(value) <= 100000);

-- The white space is \s of JavaScript, written out: \s of Postgres depends on the locale.
create domain app.http_url as text
  constraint http_url_fits check (
    value ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$'
    and octet_length(value) <= 2000
  );
create domain app.external_id as text
  constraint external_id_fits check (octet_length(value) between 1 and 200);
create domain app.extra as json
  constraint extra_fits check (
    json_typeof(value) = 'object' and octet_length(value::text) <= 262144
  );
create domain app.character_ids as uuid[]
  constraint character_ids_fits check (cardinality(value) <= 200);

create domain app.character_list as json
  constraint character_list_fits check (json_array_length(value) <= 200);
create domain app.episode_list as json
  constraint episode_list_fits check (json_array_length(value) <= 500);
create domain app.scene_list as json
  constraint scene_list_fits check (json_array_length(value) <= 500);
create domain app.scene_total as integer
  constraint scene_total_fits check (value between 0 and 2000);
create domain app.drama_document as json
  constraint drama_document_fits check (octet_length(value::text) <= 4194304);

create domain app.wanted_episodes as integer
  constraint wanted_episodes_fits check (value between 1 and 24);
create domain app.wanted_scenes as integer
  constraint wanted_scenes_fits check (value between 1 and 30);
create domain app.wanted_characters as integer
  constraint wanted_characters_fits check (value between 1 and 20);
create domain app.reference_list as jsonb
  constraint reference_list_fits check (jsonb_array_length(value) <= 8);

-- The same checks as before, by domain. A later migration validates them, without blocking writers.
alter table public.dramas
  drop constraint dramas_external_id_is_short,
  drop constraint dramas_title_is_short,
  drop constraint dramas_premise_is_short,
  drop constraint dramas_logline_is_short,
  drop constraint dramas_genre_is_short,
  drop constraint dramas_language_is_short,
  drop constraint dramas_style_is_short,
  drop constraint dramas_model_is_short,
  drop constraint dramas_cover_url_is_http,
  drop constraint dramas_extra_fits,
  add constraint dramas_external_id_is_short
    check (external_id is null or external_id::app.external_id is not null) not valid,
  add constraint dramas_title_is_short check (title::app.short_text is not null) not valid,
  add constraint dramas_premise_is_short check (premise::app.long_text is not null) not valid,
  add constraint dramas_logline_is_short check (logline::app.medium_text is not null) not valid,
  add constraint dramas_genre_is_short check (genre::app.label_text is not null) not valid,
  add constraint dramas_language_is_short check (language::app.tiny_text is not null) not valid,
  add constraint dramas_style_is_short check (style::app.medium_text is not null) not valid,
  add constraint dramas_model_is_short check (model::app.tiny_text is not null) not valid,
  add constraint dramas_cover_url_is_http
    check (cover_url is null or cover_url::app.http_url is not null) not valid,
  add constraint dramas_extra_fits check (extra::app.extra is not null) not valid;

alter table public.drama_characters
  drop constraint drama_characters_name_is_short,
  drop constraint drama_characters_role_is_short,
  drop constraint drama_characters_description_is_short,
  drop constraint drama_characters_appearance_is_short,
  drop constraint drama_characters_portrait_url_is_http,
  drop constraint drama_characters_extra_fits,
  add constraint drama_characters_name_is_short
    check (name::app.short_text is not null) not valid,
  add constraint drama_characters_role_is_short
    check (role::app.short_text is not null) not valid,
  add constraint drama_characters_description_is_short
    check (description::app.long_text is not null) not valid,
  add constraint drama_characters_appearance_is_short
    check (appearance::app.long_text is not null) not valid,
  add constraint drama_characters_portrait_url_is_http
    check (portrait_url is null or portrait_url::app.http_url is not null) not valid,
  add constraint drama_characters_extra_fits check (extra::app.extra is not null) not valid;

alter table public.episodes
  drop constraint episodes_title_is_short,
  drop constraint episodes_summary_is_short,
  drop constraint episodes_script_is_short,
  drop constraint episodes_extra_fits,
  add constraint episodes_title_is_short check (title::app.short_text is not null) not valid,
  add constraint episodes_summary_is_short check (summary::app.long_text is not null) not valid,
  add constraint episodes_script_is_short check (script::app.huge_text is not null) not valid,
  add constraint episodes_extra_fits check (extra::app.extra is not null) not valid;

alter table public.scenes
  drop constraint scenes_title_is_short,
  drop constraint scenes_summary_is_short,
  drop constraint scenes_text_is_short,
  drop constraint scenes_image_prompt_is_short,
  drop constraint scenes_video_prompt_is_short,
  drop constraint scenes_character_ids_are_few,
  drop constraint scenes_image_url_is_http,
  drop constraint scenes_video_url_is_http,
  drop constraint scenes_audio_url_is_http,
  drop constraint scenes_extra_fits,
  add constraint scenes_title_is_short check (title::app.short_text is not null) not valid,
  add constraint scenes_summary_is_short check (summary::app.long_text is not null) not valid,
  add constraint scenes_text_is_short check (text::app.huge_text is not null) not valid,
  add constraint scenes_image_prompt_is_short
    check (image_prompt::app.long_text is not null) not valid,
  add constraint scenes_video_prompt_is_short
    check (video_prompt::app.long_text is not null) not valid,
  add constraint scenes_character_ids_are_few
    check (character_ids::app.character_ids is not null) not valid,
  add constraint scenes_image_url_is_http
    check (image_url is null or image_url::app.http_url is not null) not valid,
  add constraint scenes_video_url_is_http
    check (video_url is null or video_url::app.http_url is not null) not valid,
  add constraint scenes_audio_url_is_http
    check (audio_url is null or audio_url::app.http_url is not null) not valid,
  add constraint scenes_extra_fits check (extra::app.extra is not null) not valid;

-- Functions that have new names or parameters in db/modules.
drop function if exists app.apply_drama_assets(bigint[]);
drop function if exists app.describe_asset(public.dramas, uuid, text, text);
drop function if exists app.drama_tag(timestamptz);
drop function if exists app.hold_drama_owner(uuid);
drop function if exists app.read_drama_options(jsonb);
drop function if exists app.read_output_parts(bigint[], text, text);
drop function if exists app.read_text(jsonb, integer);
drop function if exists app.read_url(jsonb);
drop function if exists app.read_uuid(jsonb);
drop function if exists app.require_drama(uuid);
drop function if exists app.send_drama(timestamptz);
