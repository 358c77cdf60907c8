-- Kinds of steps. Each has more time than its calls of Gemini may take (GEMINI_TIMEOUT_SECONDS is 300 at most). An operator's change stays.
insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout, running_limit, owner_running_limit
)
values
  ('generate_drama', 'A drama from its premise: a group.', false, 'fail_run', 1, '2 s', '5 min', '5 min', null, null),
  ('write_outline', 'The outline of a drama, and its episodes.', true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20),
  ('write_cast', 'The characters of a drama.', true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20),
  ('write_script', 'The scenes of an episode.', true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20),
  ('write_scene', 'The text of a scene, and what its image shows.', true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20),
  -- What one picture lacks need not end the whole drama: it can be made anew.
  ('generate_image', 'A portrait, or the image of a scene.', true, 'continue', 5, '2 s', '5 min', '8 min', null, 20),
  ('generate_video', 'The video of a scene; polls a long operation.', true, 'continue', 5, '5 s', '5 min', '12 min', null, 10)
on conflict on constraint job_types_pkey do nothing;
