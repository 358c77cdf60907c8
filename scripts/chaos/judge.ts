import type { PoisonedRun } from './make_poisons.ts'
import type { Fate, Workers } from './workers.ts'

/** Runs a query, and repeats it while Postgres restarts. */
export type Query = (text: string, args?: unknown[]) => Promise<Record<string, unknown>[]>

/** Fates for which the steps of a process count a loss, because the engine cannot tell which step was the cause. */
const losing: Fate[] = ['killed', 'silent', 'unclear', 'stalled', 'out of memory']
/** Fates after which a step may begin again elsewhere. A drain and a broken connection repeat no step that has begun. */
const repeating: Fate[] = [...losing, 'crashed']

const isHealthy = "j.type not in ('poison', 'toxin', 'spin')"

/** The counts at the end of chaos. Those of `wrong` must be 0, and `details` explains them. */
export type Verdict = { steps: number; attempts: number; wrong: Record<string, number>; details: string[] }

/** Counts the steps that did not complete, completed twice, ran too early, or count a failure or loss without a cause. */
export async function judge(query: Query, workers: Workers, poisoned: Map<number, PoisonedRun>): Promise<Verdict> {
  const [counts = {}] = await query(
    `select
      (select count(*)::int from app.job_queue) as open,
      (select count(*)::int from jobs) as steps,
      (select count(*)::int from app.job_events where status = 'running') as attempts,
      (select count(*)::int from jobs as j where j.status <> 'completed' and ${isHealthy}) as uncompleted,
      (
        select count(*)::int from (
          select e.job_id from app.job_events as e where e.status = 'completed' group by 1 having count(*) > 1
        ) as t
      ) as twice,
      (
        select count(*)::int from jobs as j
        where j.type = 'noop' and jsonb_array_length(j.output -> 'of') <> coalesce(cardinality(j.depends_on), 0)
      ) as early`,
  )
  const failures = await findFailures(query)
  const losses = await findLosses(query, workers)
  const repeats = findRepeats(workers)
  const misnamed = await findMisnamed(query, poisoned)
  const effects: Fate[] = poisoned.size > 0 ? ['crashed', 'unclear', 'stalled', 'out of memory'] : []
  const absent = effects.filter((fate) => workers.count(fate) === 0)
  const { steps, attempts, ...wrong } = counts as Record<string, number>
  return {
    steps: steps ?? 0,
    attempts: attempts ?? 0,
    wrong: {
      ...wrong,
      failed: failures.length,
      charged: losses.length,
      repeated: repeats.length,
      misnamed: misnamed.length,
      absent: absent.length,
      unexplained: workers.count('unexplained'),
    },
    details: [
      ...failures,
      ...losses,
      ...repeats,
      ...misnamed,
      ...absent.map((fate) => `No process had this end: ${fate}.`),
    ],
  }
}

/** Healthy steps that count failures, except the failures that the input of a flaky step asks for. */
async function findFailures(query: Query): Promise<string[]> {
  const rows = await query(
    `select j.id, j.type, count(c.*)::int as failures, j.error_slug
     from jobs as j
     left join chaos.charges as c on c.job_id = j.id and c.kind = 'failure'
     where ${isHealthy}
     group by j.id
     having count(c.*) <> case j.type when 'flaky' then (j.input ->> 'failures')::int else 0 end`,
  )
  return rows.map(
    ({ id, type, failures, error_slug }) => `Step ${id} (${type}) failed ${failures} times: ${error_slug}.`,
  )
}

/** Losses that no fate of the process explains, and second losses by the same process. */
async function findLosses(query: Query, workers: Workers): Promise<string[]> {
  const rows = await query(
    `select j.id, j.type, w.name, count(*)::int as losses
     from chaos.charges as c
     join jobs as j on j.id = c.job_id
     left join chaos.workers as w on w.worker_id = c.worker_id
     where c.kind = 'loss'
     group by j.id, w.name`,
  )
  return rows.flatMap(({ id, type, name, losses }) => {
    const fates = [...(workers.fates.get(String(name)) ?? [])]
    if (losses === 1 && fates.some((fate) => losing.includes(fate))) return []
    return [
      `Step ${id} (${type}) was lost ${losses} times by ${name} (${fates.join(', ') || 'nothing happened to it'}).`,
    ]
  })
}

/** Naps that began a second time although the first process could have completed them: a deployment buys them twice. */
function findRepeats(workers: Workers): string[] {
  const began = new Map<string, string[]>()
  for (const [name, fates] of workers.fates) {
    if (repeating.some((fate) => fates.has(fate))) continue
    for (const step of workers.readBill(name)) began.set(step, [...(began.get(step) ?? []), name])
  }
  return [...began].flatMap(([step, names]) =>
    names.length === 1 ? [] : [`Nap ${step} began in ${names.join(' and ')}, although each could have completed it.`],
  )
}

/** Poisoned steps that did not end as they should. */
async function findMisnamed(query: Query, poisoned: Map<number, PoisonedRun>): Promise<string[]> {
  const rows = await query("select root_id, coalesce(error_slug, status) as how from jobs where key = 'poison'")
  return rows.flatMap(({ root_id, how }) => {
    const run = poisoned.get(Number(root_id))
    if (run?.ends.includes(String(how))) return []
    return [`The step with "${run?.name}" ended with ${how} instead of ${run?.ends.join(' or ')}.`]
  })
}
