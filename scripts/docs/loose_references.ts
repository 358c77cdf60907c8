/**
 * References without a foreign key: column, and the table that it refers to. Jobs have none, because a run is inserted and
 * deleted as a whole, and its ids outlive it elsewhere.
 */
export const looseReferences: Record<string, string> = {
  'public.jobs.root_id': 'app.runs',
  'public.jobs.parent_id': 'public.jobs',
  'public.jobs.type': 'public.job_types',
  'app.job_queue.job_id': 'public.jobs',
  'app.job_queue.run_id': 'app.runs',
  'app.job_queue.lane_id': 'app.lanes',
  'app.job_queue.worker_id': 'app.workers',
  'app.job_events.run_id': 'app.runs',
  'app.job_callbacks.type': 'public.job_types',
  'app.callback_faults.run_id': 'app.runs',
  'public.dramas.run_id': 'app.runs',
  'public.drama_characters.portrait_job_id': 'public.jobs',
  'public.scenes.image_job_id': 'public.jobs',
  'public.scenes.video_job_id': 'public.jobs',
  'app.template_uses.job_id': 'public.jobs',
}
