-- app.refuse_generation_retry
--
-- Called by   the job engine, as on_run_reopened of process_image and analyze_face
-- Errors      PT409 job_closed, always
-- Why         the hold of the run has ended, and another request may have started the same
--             generation since
create or replace function app.refuse_generation_retry(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'job_closed',
    'The run belongs to a generation that has ended.',
    'Call process_image or analyze_face again.'
  );
end
$$;

comment on function app.refuse_generation_retry(bigint[]) is
  'Callback on_run_reopened: refuses retry_job, because a new request makes a new hold.';
