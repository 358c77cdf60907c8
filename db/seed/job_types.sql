-- Kinds of steps. Each timeout is longer than the calls of Gemini in the step (at most 300 s each:
-- GEMINI_TIMEOUT_SECONDS). A type that exists stays as it is, so a migration raises its version,
-- too.
insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  running_limit, owner_running_limit, version, is_paid, owner_open_limit
)
values
  (
    'generate_drama', 'Generates a drama from a premise: a group.',
    false, 'fail_run', 1, '2 s', '5 min', '5 min', null, null, 1, false, null
  ),
  (
    'write_outline', 'Writes the outline of a drama and its episodes.',
    true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20, 1, true, null
  ),
  (
    'write_cast', 'Writes the characters of a drama.',
    true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20, 2, true, null
  ),
  (
    'write_script', 'Writes the script of an episode and its scenes.',
    true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20, 2, true, null
  ),
  (
    'write_scene', 'Writes the text of a scene and the prompts of its image and video.',
    true, 'fail_run', 5, '2 s', '5 min', '6 min', null, 20, 2, true, null
  ),
  (
    'draw_episode', 'Starts the images and videos of an episode; calls no provider.',
    true, 'fail_run', 5, '2 s', '5 min', '1 min', null, null, 1, false, null
  ),
  -- Continue: a missing image or video fails no drama, and regenerate_asset can make it later.
  (
    'generate_image', 'Makes a portrait or the image of a scene.',
    true, 'continue', 5, '2 s', '5 min', '8 min', null, 20, 1, true, null
  ),
  (
    'generate_video', 'Makes the video of a scene; polls a long operation.',
    true, 'continue', 5, '5 s', '5 min', '12 min', null, 10, 1, true, 10
  )
on conflict on constraint job_types_pkey do nothing;

insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  owner_running_limit, version, max_turns, is_paid
)
values (
  'run_task', 'Works on an agent task, one tick per turn.',
  true, 'fail_run', 5, '2 s', '5 min', '6 min', 20, 1, 10000, true
)
on conflict on constraint job_types_pkey do nothing;

insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  owner_running_limit, version, is_paid
)
values
  (
    'open_order', 'Opens an order at Paymob and returns the checkout page.',
    true, 'fail_run', 8, '2 s', '5 min', '2 min', 5, 1, false
  ),
  (
    'inquire_orders', 'Asks Paymob for the transactions of orders.',
    true, 'fail_run', 3, '2 s', '5 min', '2 min', null, 1, false
  ),
  (
    'process_image', 'Edits a photo with a tool of the studio.',
    true, 'fail_run', 3, '2 s', '1 min', '8 min', 10, 1, true
  ),
  (
    'analyze_face', 'Analyses a photo with a tool of the studio.',
    true, 'fail_run', 3, '2 s', '1 min', '6 min', 10, 1, true
  )
on conflict on constraint job_types_pkey do nothing;
