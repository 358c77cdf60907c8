-- A claim reads the versions of queued steps from their index, because thousands of steps may wait for newer workers.
set local lock_timeout = '5s';

-- app.job_queue has rows of open steps only, so building the index takes a moment.
-- squawk-ignore require-concurrent-index-creation
create index job_queue_versions_idx on app.job_queue (lane_id, priority, run_at, job_id, version) where status = 'queued';
-- squawk-ignore require-concurrent-index-deletion
drop index app.job_queue_queued_idx;
alter index app.job_queue_versions_idx rename to job_queue_queued_idx;
