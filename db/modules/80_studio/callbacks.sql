-- The callbacks that the job engine calls for the runs of generations.
select
  app.register_callbacks(
    t.type,
    on_completed => 'app.record_generations',
    on_run_ended => 'app.end_generations',
    on_run_reopened => 'app.refuse_generation_retry'
  )
from unnest(array['process_image', 'analyze_face']) as t (type);
