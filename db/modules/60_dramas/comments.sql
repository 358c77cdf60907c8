-- Comments on the tables, columns and domains of this module.

comment on column app.settings.drama_writes_per_minute is
  'How many dramas a user may save per minute. A save counts once, and once more for each 64 '
  'KiB. Limit per user: 429 rate_limited.';
comment on column app.settings.dramas_per_day is
  'How many dramas a user may generate per day. Limit per user: 429 rate_limited.';
comment on column app.settings.drama_assets_per_day is
  'How many portraits, images and videos a user may generate again per day with '
  'regenerate_asset. Limit per user: 429 rate_limited.';
comment on column app.settings.all_images_per_day is
  'How many images, portraits included, all users together may reserve per day (UTC). Limit per '
  'server: 429 media_ceiling_reached.';
comment on column app.settings.all_videos_per_day is
  'How many videos all users together may reserve per day (UTC). Limit per server: 429 '
  'media_ceiling_reached.';

comment on column public.plans.images_per_day is
  'How many images, portraits included, a user may reserve per day (UTC) for dramas. Limit per '
  'user: 429 media_limit_reached.';
comment on column public.plans.videos_per_day is
  'How many videos a user may reserve per day (UTC) for dramas. Limit per user: 429 '
  'media_limit_reached.';
comment on column public.plans.dramas_per_day is
  'How many dramas a user may generate per day (UTC). app.settings.dramas_per_day also applies. '
  'Null: no limit. Limit per user: 429 dramas_per_day_reached.';
comment on column public.plans.dramas_open is
  'How many dramas of a user may be generated at a time. Null: no limit. Limit per user: 429 '
  'dramas_open_reached.';

comment on table public.ai_models is 'AI models that generate dramas.';
comment on column public.ai_models.name is 'The name that the provider uses for the model.';
comment on column public.ai_models.kind is 'The kind of output: text, image or video.';
comment on column public.ai_models.description is 'The name of the model for people.';
comment on column public.ai_models.is_enabled is
  'False: new dramas cannot use the model; running steps keep it.';
comment on column public.ai_models.is_default is
  'Whether the model is used when a request names none. Each kind has one default.';

comment on table public.dramas is
$$Dramas of their owners, each a document of characters, episodes and scenes.

Insert { premise, model, options, idempotency_key } to generate a drama; the answer's Location names
the drama. get_drama_complete and save_drama_complete read and write a whole drama.$$;
comment on column public.dramas.id is 'The id of the drama.';
comment on column public.dramas.owner_id is 'The user to whom the drama belongs.';
comment on column public.dramas.external_id is
  'The id that the drama had where it was imported from; unique per owner. Null: not imported.';
comment on column public.dramas.title is 'The title; empty until the outline is written.';
comment on column public.dramas.premise is 'The sentences from which the drama is generated.';
comment on column public.dramas.logline is 'The story in one sentence.';
comment on column public.dramas.genre is 'The genre, such as mystery.';
comment on column public.dramas.language is 'The language of the texts.';
comment on column public.dramas.style is 'The look of the images.';
comment on column public.dramas.model is
  'The text model that generates the drama: a name of ai_models.';
comment on column public.dramas.cover_url is 'The URL of the cover, or null.';
comment on column public.dramas.options is
  'The options of generate_drama, with their defaults; empty for a drama that was only saved.';
comment on column public.dramas.run_id is
  'The job that generates the drama, for job_tree. Jobs are deleted 30 days after their end.';
comment on column public.dramas.idempotency_key is
  'The key of the request that generated the drama; unique per owner. Null: no key was sent.';
comment on column public.dramas.created_at is 'When the drama was inserted.';
comment on column public.dramas.updated_at is
  'When the drama, or a character, episode or scene in it, last changed.';

comment on table app.drama_extras is
  'Data of clients for their dramas. A table of its own, because Realtime sends each change of '
  'table dramas. A drama without data has no row.';
comment on column app.drama_extras.extra is 'Data of the client: a JSON object of any form.';

comment on table public.drama_characters is
  'The characters of dramas. Table characters has the character cards of sharing.';
comment on column public.drama_characters.id is 'The id of the character.';
comment on column public.drama_characters.drama_id is 'The drama.';
comment on column public.drama_characters.owner_id is 'The owner of the drama.';
comment on column public.drama_characters.position is
  'The place among the characters of the drama; there may be gaps.';
comment on column public.drama_characters.name is 'The name.';
comment on column public.drama_characters.role is 'The role in the story, such as protagonist.';
comment on column public.drama_characters.description is 'The character in a few sentences.';
comment on column public.drama_characters.appearance is
  'The look of the character, from which the portrait is made.';
comment on column public.drama_characters.portrait_url is 'The URL of the portrait, or null.';
comment on column public.drama_characters.portrait_job_id is
  'The job that makes the portrait, or made it last. Results of other jobs are ignored.';
comment on column public.drama_characters.extra is 'Data of the client: a JSON object of any form.';
comment on column public.drama_characters.created_at is 'When the character was inserted.';
comment on column public.drama_characters.updated_at is 'When the character last changed.';

comment on table public.episodes is 'The episodes of dramas.';
comment on column public.episodes.id is 'The id of the episode.';
comment on column public.episodes.drama_id is 'The drama.';
comment on column public.episodes.owner_id is 'The owner of the drama.';
comment on column public.episodes.position is
  'The place among the episodes of the drama; there may be gaps.';
comment on column public.episodes.title is 'The title.';
comment on column public.episodes.summary is 'The events in a few sentences.';
comment on column public.episodes.created_at is 'When the episode was inserted.';
comment on column public.episodes.updated_at is 'When the episode last changed.';

comment on table public.scenes is 'The scenes of episodes.';
comment on column public.scenes.id is 'The id of the scene.';
comment on column public.scenes.drama_id is 'The drama.';
comment on column public.scenes.episode_id is 'The episode.';
comment on column public.scenes.owner_id is 'The owner of the drama.';
comment on column public.scenes.position is
  'The place among the scenes of the episode; there may be gaps.';
comment on column public.scenes.title is 'The title.';
comment on column public.scenes.summary is 'The events in a few sentences.';
comment on column public.scenes.text is 'The dialogue and the action.';
comment on column public.scenes.character_ids is
  'The characters of the drama that are in the scene.';
comment on column public.scenes.image_url is 'The URL of the image, or null.';
comment on column public.scenes.image_job_id is
  'The job that makes the image, or made it last. Results of other jobs are ignored.';
comment on column public.scenes.video_url is 'The URL of the video, or null.';
comment on column public.scenes.video_job_id is
  'The job that makes the video, or made it last. Results of other jobs are ignored.';
comment on column public.scenes.audio_url is
  'The URL of the sound, or null. Only clients set it.';
comment on column public.scenes.created_at is 'When the scene was inserted.';
comment on column public.scenes.updated_at is 'When the scene last changed.';

comment on table app.episode_details is
  'Scripts of episodes, and data that clients keep with an episode. They are not in episodes, '
  'because Realtime sends each change of that table. An episode without both may have no row.';
comment on column app.episode_details.episode_id is 'The episode.';
comment on column app.episode_details.script is 'The course of the episode.';
comment on column app.episode_details.extra is 'Data of the client: a JSON object of any form.';

comment on table app.scene_details is
  'Prompts of scenes, and data that clients keep with a scene. They are not in scenes, because '
  'Realtime sends each change of that table. A scene without these may have no row.';
comment on column app.scene_details.scene_id is 'The scene.';
comment on column app.scene_details.image_prompt is 'The prompt of the image.';
comment on column app.scene_details.video_prompt is 'The prompt of the video.';
comment on column app.scene_details.extra is 'Data of the client: a JSON object of any form.';

comment on table app.drama_runs is
$$Which drama a run may write to.

Only SQL writes this table, because an id in the output of a worker could be the id of another
user's drama.$$;
comment on column app.drama_runs.run_id is 'The run.';
comment on column app.drama_runs.drama_id is 'The drama that the run may write to.';

comment on table app.media_days is
$$The images and videos that a user, or all users together, reserved on a day.

Rows of app.media_returns are subtracted: app.count_media.$$;
comment on column app.media_days.id is 'The id of the row.';
comment on column app.media_days.owner_id is 'The user. Null: all users together.';
comment on column app.media_days.day is 'The day (UTC).';
comment on column app.media_days.images is 'The reserved images, portraits included.';
comment on column app.media_days.videos is 'The reserved videos.';

comment on table app.media_reservations is
  'The images and videos that an open run reserved when it started or was retried.';
comment on column app.media_reservations.run_id is 'The run.';
comment on column app.media_reservations.owner_id is 'The user in whose day the run reserved.';
comment on column app.media_reservations.day is 'The day (UTC) of the reservation.';
comment on column app.media_reservations.images is 'The reserved images, portraits included.';
comment on column app.media_reservations.videos is 'The reserved videos.';

comment on table app.media_returns is
$$Images and videos that ended runs reserved and never began.

The end of a run only inserts here. The next reservation subtracts the rows from app.media_days and
deletes them.$$;
comment on column app.media_returns.id is 'The id of the row.';
comment on column app.media_returns.owner_id is 'The user. Null: all users together.';
comment on column app.media_returns.day is 'The day (UTC) of the reservation.';
comment on column app.media_returns.images is 'The images that are given back.';
comment on column app.media_returns.videos is 'The videos that are given back.';

comment on type public.media_limits is
  'How many images and videos of dramas a user may reserve today, has reserved, and has left; and '
  'how many bytes the user may store, has stored, and has left.';
comment on column public.media_limits.day_ends_at is
  'The time at which the next day begins, in UTC. The limits count per day.';
comment on column public.media_limits.images_per_day is 'From the plan of the user.';
comment on column public.media_limits.images_reserved is
  'Media that the runs of today have reserved and not released.';
comment on column public.media_limits.images_left is 'How many the user may still request today.';
comment on column public.media_limits.videos_per_day is 'From the plan of the user.';
comment on column public.media_limits.videos_reserved is
  'Media that the runs of today have reserved and not released.';
comment on column public.media_limits.videos_left is 'How many the user may still request today.';
comment on column public.media_limits.bytes_stored is
  'How many bytes the dramas of the user may have, from the plan.';
comment on column public.media_limits.bytes_used is 'How many bytes the dramas of the user have.';
comment on column public.media_limits.bytes_left is 'How many bytes the dramas may still get.';
comment on column public.media_limits.dramas_per_day is
  'From the plan of the user. Null: no limit.';
comment on column public.media_limits.dramas_started is 'The dramas that the user generated today.';
comment on column public.media_limits.dramas_left is
  'How many the user may still generate today. Null: no limit.';

comment on table app.drama_requests is
  'The request that generated a drama with an idempotency key, to compare with later requests.';
comment on column app.drama_requests.drama_id is 'The drama.';
comment on column app.drama_requests.request_hash is
  'The SHA-256 of the request, from app.hash_drama_request.';

comment on table app.drama_media is
$$The images and videos that steps of a drama have stored, also those that the drama shows no more.

The URL of a file is <ASSETS_CDN_URL>/drama-assets/<drama_id>/<name>.$$;
comment on column app.drama_media.drama_id is 'The drama whose step stored the file.';
comment on column app.drama_media.name is
  'The last part of the key: the hash of the bytes and the type.';
comment on column app.drama_media.bytes is 'The size of the file.';

comment on table app.drama_sizes is
  'How many bytes a drama stores; app.count_owner_bytes adds them up per owner.';
comment on column app.drama_sizes.drama_id is 'The drama.';
comment on column app.drama_sizes.owner_id is 'The owner of the drama.';
comment on column app.drama_sizes.document_bytes is
  'The size of the document when it was last saved or its run ended; 0 until then.';
comment on column app.drama_sizes.media_bytes is 'The sum of the files in app.drama_media.';

comment on table app.deleted_media is
$$Deleted dramas whose images and videos a worker deletes from the object store.

A row is due at once, and again an hour later, because a step that was running may still store a
file. The second removal deletes the row.$$;
comment on column app.deleted_media.drama_id is 'The id that the drama had.';
comment on column app.deleted_media.deleted_at is 'When the drama was deleted.';
comment on column app.deleted_media.remove_at is
  'When the objects are due for removal, or a claim ends.';
comment on column app.deleted_media.attempts is 'How many claims have not been confirmed.';
comment on column app.deleted_media.claim_id is 'The last claim of a worker; null if it ended.';

comment on table app.drama_packages is
$$The document of a drama as get_drama_complete returns it, built once.

A package is current while its updated_at equals the drama's; otherwise get_drama_complete reads the
rows.$$;
comment on column app.drama_packages.drama_id is 'The drama.';
comment on column app.drama_packages.updated_at is
  'updated_at of the drama when the package was built.';
comment on column app.drama_packages.package is 'The document.';

comment on domain app.tiny_text is
  'The limit of a language or the name of a model, in characters. Limit per field: 422 '
  'drama_invalid.';
comment on domain app.label_text is
  'The limit of a genre, in characters. Limit per field: 422 drama_invalid.';
comment on domain app.short_text is
  'The limit of a title, a name or a role, in characters. Limit per field: 422 drama_invalid.';
comment on domain app.medium_text is
  'The limit of a logline or a style, in characters. Limit per field: 422 drama_invalid.';
comment on domain app.long_text is
  'The limit of a premise, a summary, a description or a prompt, in characters. Limit per field: '
  '422 drama_invalid.';
comment on domain app.huge_text is
  'The limit of a script or the text of a scene, in characters. Limit per field: 422 '
  'drama_invalid.';
comment on domain app.http_url is
  'The form of a URL in a drama, and its limit in bytes. Limit per field: 422 drama_invalid.';
comment on domain app.external_id is
  'The limits of external_id, in bytes. Limit per field: 422 drama_invalid.';
comment on domain app.extra is
  'The form of extra, and its limit in bytes. Limit per field: 422 drama_invalid.';
comment on domain app.character_ids is
  'The limit of characters in a scene. Limit per scene: 422 drama_invalid.';
comment on domain app.character_list is
  'The limit of characters in a drama. Limit per drama: 422 drama_invalid.';
comment on domain app.episode_list is
  'The limit of episodes in a drama. Limit per drama: 422 drama_invalid.';
comment on domain app.scene_list is
  'The limit of scenes in an episode. Limit per episode: 422 drama_invalid.';
comment on domain app.scene_total is
  'The limit of scenes in a drama. Limit per drama: 422 drama_invalid.';
comment on domain app.drama_document is
  'The limit of a drama in bytes, as get_drama_complete returns it. Limit per drama: 413 '
  'drama_too_large.';
comment on domain app.wanted_episodes is
  'The limits of option episodes of generate_drama. Limit per request: 422 options_invalid.';
comment on domain app.wanted_scenes is
  'The limits of option scenes_per_episode of generate_drama. Limit per request: 422 '
  'options_invalid.';
comment on domain app.wanted_characters is
  'The limits of option characters of generate_drama. Limit per request: 422 options_invalid.';
comment on domain app.reference_list is
  'The limit of reference images in the input of generate_image and generate_video. Limit per '
  'step: the first references are used.';
