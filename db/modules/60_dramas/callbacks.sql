-- The callbacks that the job engine calls for jobs of dramas. A registration replaces the earlier
-- one of its type.
select
  app.register_callbacks('write_outline', on_completed => 'app.apply_drama_outputs'),
  app.register_callbacks('write_cast', on_completed => 'app.apply_drama_outputs'),
  app.register_callbacks('write_script', on_completed => 'app.apply_drama_outputs'),
  app.register_callbacks('write_scene', on_completed => 'app.apply_drama_outputs'),
  app.register_callbacks('draw_episode', on_completed => 'app.apply_drama_outputs'),
  app.register_callbacks(
    'generate_image',
    on_completed => 'app.apply_drama_outputs',
    on_run_ended => 'app.end_drama_runs',
    on_run_reopened => 'app.reopen_drama_runs'
  ),
  app.register_callbacks(
    'generate_video',
    on_completed => 'app.apply_drama_outputs',
    on_run_ended => 'app.end_drama_runs',
    on_run_reopened => 'app.reopen_drama_runs'
  ),
  app.register_callbacks(
    'generate_drama',
    on_run_ended => 'app.end_drama_runs',
    on_run_reopened => 'app.reopen_drama_runs'
  );
