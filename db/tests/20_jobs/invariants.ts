import type { Client } from 'pg'

/** Facts that must hold between any two transactions; each query returns the rows that break one. */
const invariants: Record<string, string> = {
  'a lane with something due is awake': `
    select l.id, l.wake_at, q.run_at from app.lanes as l
    join app.job_queue as q on q.lane_id = l.id and q.status = 'queued'
    join job_types as t on t.name = l.type
    where l.wake_at > greatest(q.run_at, now())
      -- At the limit of open steps, a lane wakes at least every five seconds.
      and not (
        q.state is null and l.wake_at < now() + interval '5 seconds'
        and (t.owner_open_limit is not null or t.is_paid and (select buying_is_stopped from app.settings))
      )`,
  'waits counts the dependencies and the parent that are not done': `
    select q.job_id, q.status, q.waits, w.waits as counted
    from app.job_queue as q
    join jobs as j on j.id = q.job_id
    cross join lateral (
      select (select count(*) from jobs as d where d.id = any (j.depends_on) and d.finished_at is null)
        + (select count(*) from jobs as p where p.id = j.parent_id and p.worked_at is null) as waits
    ) as w
    join app.runs as r on r.id = q.run_id
    where q.waits <> w.waits and r.failing_step_id is null and j.worked_at is null`,
  'a step is blocked if and only if it waits for something': `
    select job_id, status, waits from app.job_queue
    where (status = 'blocked') <> (waits > 0) and not (parent_id is null and status = 'blocked')`,
  'open_children counts the children that are not settled': `
    select q.job_id, q.open_children, c.children
    from app.job_queue as q
    join app.runs as r on r.id = q.run_id and r.failing_step_id is null
    cross join lateral (select count(*) as children from jobs as j where j.parent_id = q.job_id and j.finished_at is null) as c
    where q.open_children <> c.children`,
  'a joining step has open children': `
    select q.job_id from app.job_queue as q where q.status = 'joining' and q.open_children = 0`,
  'a step is in the queue until it is finished': `
    select j.id, j.status, q.status as queued from jobs as j
    left join app.job_queue as q on q.job_id = j.id
    where (q.job_id is null) <> (j.finished_at is not null)`,
  'every run has a row that clients see, and a row without a run is about to be deleted': `
    select coalesce(a.id, r.job_id) as run_id from app.runs as a
    full join public.runs as r on r.job_id = a.id
    where r.job_id is null
      or a.id is null and not exists (select from app.run_changes as n where n.run_id = r.job_id)`,
  'a run that clients see is as its steps are, or a change of the run is recorded': `
    select r.job_id, r.status, r.steps_done, r.steps_failed, r.steps_open, c.* from public.runs as r
    join app.runs as a on a.id = r.job_id
    cross join lateral (
      select
        max(j.status) filter (where j.parent_id is null) as root_status,
        count(*) filter (where j.status = 'completed') as done,
        count(*) filter (where j.status = 'failed') as failed,
        count(*) filter (where j.finished_at is null) as open
      from jobs as j where j.root_id = r.job_id
    ) as c
    where (
        (r.steps_done, r.steps_failed, r.steps_open) is distinct from (c.done, c.failed, c.open)
        or (a.finished_at is not null and r.status <> c.root_status)
        or (a.finished_at is null and r.status not in ('queued', 'running'))
      )
      and not exists (select from app.run_changes as n where n.run_id = r.job_id)`,
  'a finished run has no open steps, and an unfinished run has an open root': `
    select r.id from app.runs as r
    where (r.finished_at is null) <> exists (select from app.job_queue as q where q.job_id = r.id)
      or r.finished_at is not null and exists (select from app.job_queue as q where q.run_id = r.id)`,
  'a failing run has no open steps but the root and running steps': `
    select q.job_id, q.status from app.job_queue as q join app.runs as r on r.id = q.run_id
    where r.failing_step_id is not null and q.parent_id is not null and q.status <> 'running'`,
  'each running step has its own fence': `
    select fence from app.job_queue where status = 'running' group by fence having count(*) > 1`,
  'a run counts its steps': `
    select r.id, r.steps from app.runs as r where r.steps <> (select count(*) from jobs as j where j.root_id = r.id)`,
  'no limit is exceeded': `
    select l.id, count(*) from app.job_queue as q join app.lanes as l on l.id = q.lane_id join job_types as t on t.name = l.type
    where q.status = 'running'
    group by l.id, t.owner_running_limit having count(*) > t.owner_running_limit
    union all
    select null, count(*) from app.job_queue as q join app.lanes as l on l.id = q.lane_id join job_types as t on t.name = l.type
    where q.status = 'running'
    group by t.name, t.running_limit having count(*) > t.running_limit`,
  'only a finished step that was begun has a state outside the queue': `
    select s.job_id, j.status from app.step_states as s left join jobs as j on j.id = s.job_id
    where j.status is null or j.status not in ('failed', 'cancelled', 'skipped') or j.root_id <> s.run_id`,
  'a lane has the owner and the type of its steps': `
    select q.job_id from app.job_queue as q join jobs as j on j.id = q.job_id join app.lanes as l on l.id = q.lane_id
    where l.owner_id is distinct from j.owner_id or l.type <> j.type`,
}

/** Throws, naming the first invariant that does not hold. */
export async function requireInvariants(client: Client): Promise<void> {
  const text = Object.entries(invariants)
    .map(([name, query]) => `select '${name}' as name, to_jsonb(b) as broken from (${query}) as b`)
    .join('\nunion all\n')
  const { rows } = await client.query<{ name: string; broken: unknown }>(text)
  if (rows[0]) throw new Error(`"${rows[0].name}" does not hold: ${JSON.stringify(rows[0].broken)}`)
}
