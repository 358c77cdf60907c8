-- The callbacks that the job engine calls for the runs of tasks.
select
  app.register_callbacks(
    'run_task',
    on_rescheduled => 'app.record_ticks',
    on_run_ended => 'app.end_tasks',
    on_run_reopened => 'app.refuse_task_retry'
  );
