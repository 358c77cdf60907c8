/**
 * Records of chaos, as SQL, by triggers on the tables of the engine: which process had which worker id, and what each worker
 * was charged for a step.
 */
export const ledger = `
  create schema chaos;
  create table chaos.workers (worker_id uuid primary key, name text not null);
  create table chaos.charges (
    job_id bigint not null, worker_id uuid not null, kind text not null, primary key (job_id, worker_id, kind, fence),
    fence bigint not null
  );
  create function chaos.note_worker() returns trigger language plpgsql as $$
  begin
    insert into chaos.workers values (new.id, current_setting('application_name')) on conflict do nothing;
    return null;
  end $$;
  create trigger chaos after insert on app.workers for each row execute function chaos.note_worker();
  create function chaos.note_charge() returns trigger language plpgsql as $$
  begin
    insert into chaos.charges (job_id, worker_id, kind, fence)
    values (old.job_id, old.worker_id, case when new.losses > old.losses then 'loss' else 'failure' end, old.fence);
    return null;
  end $$;
  create trigger chaos after update on app.job_queue for each row
    when (new.losses > old.losses or new.failures > old.failures) execute function chaos.note_charge();
  grant usage on schema chaos to worker`
