-- Validates the checks of the drama tables that now cast to domains, while others read and write.
set local lock_timeout = '5s';

alter table public.dramas
  validate constraint dramas_external_id_is_short,
  validate constraint dramas_title_is_short,
  validate constraint dramas_premise_is_short,
  validate constraint dramas_logline_is_short,
  validate constraint dramas_genre_is_short,
  validate constraint dramas_language_is_short,
  validate constraint dramas_style_is_short,
  validate constraint dramas_model_is_short,
  validate constraint dramas_cover_url_is_http,
  validate constraint dramas_extra_fits;

alter table public.drama_characters
  validate constraint drama_characters_name_is_short,
  validate constraint drama_characters_role_is_short,
  validate constraint drama_characters_description_is_short,
  validate constraint drama_characters_appearance_is_short,
  validate constraint drama_characters_portrait_url_is_http,
  validate constraint drama_characters_extra_fits;

alter table public.episodes
  validate constraint episodes_title_is_short,
  validate constraint episodes_summary_is_short,
  validate constraint episodes_script_is_short,
  validate constraint episodes_extra_fits;

alter table public.scenes
  validate constraint scenes_title_is_short,
  validate constraint scenes_summary_is_short,
  validate constraint scenes_text_is_short,
  validate constraint scenes_image_prompt_is_short,
  validate constraint scenes_video_prompt_is_short,
  validate constraint scenes_character_ids_are_few,
  validate constraint scenes_image_url_is_http,
  validate constraint scenes_video_url_is_http,
  validate constraint scenes_audio_url_is_http,
  validate constraint scenes_extra_fits;
