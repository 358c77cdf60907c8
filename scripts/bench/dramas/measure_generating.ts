import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { freePort } from '../../local/ports.ts'
import { spacesEnv, startGeminiStandIn, startObjectStore, startService } from '../../local/services.ts'
import type { Figure } from '../report.ts'
import { median } from '../report.ts'

/** One generated drama: how long it took, and the least that it could have taken. */
export type Run = {
  ms: number
  boundMs: number
  criticalMs: number
  slotsMs: number
  calls: number
  jobs: number
  turns: number
}

const latencyMs = 50
/** As `worker/main.ts` has it by default. */
const concurrency = 10
const pollMs = 50

/**
 * Generates whole dramas by a real worker process, against a stand-in that takes 50 ms for each answer, and a real S3 API. The
 * bound is what no order of the calls could beat: see {@link countLeast}.
 */
export async function measureRuns(options: {
  home: string
  db: pg.Client
  workerUrl: string
  api: string
  headers: Record<string, string>
  rounds: number
  say(line: string): void
}): Promise<{ ratio: number; figures: Figure[] }> {
  const { home, db, workerUrl, api, headers, rounds, say } = options
  const [standInPort, storePort, healthPort] = [await freePort(), await freePort(), await freePort()]
  const standIn = `http://127.0.0.1:${standInPort}`
  await startGeminiStandIn(home, standInPort)
  await startObjectStore(home, storePort)
  // As an operator would for one such worker: no type waits for a limit of its own.
  await db.query('update public.job_types set owner_running_limit = 200 where has_handler')
  const env = {
    DATABASE_URL: workerUrl,
    WORKER_HEALTH_PORT: String(healthPort),
    WORKER_STEP_CONCURRENCY: String(concurrency),
    GEMINI_API_KEY: 'stand-in',
    GEMINI_BASE_URL: standIn,
    GEMINI_VIDEO_POLL_SECONDS: String(pollMs / 1000),
    PLINTH_HOME: home,
    LOG_LEVEL: 'warn',
    ...spacesEnv(storePort),
  }
  const worker = await startService(home, 'worker', env, `http://127.0.0.1:${healthPort}/healthz`)
  const behave = (behaviour: object) => fetch(`${standIn}/stand-in`, { method: 'PUT', body: JSON.stringify(behaviour) })
  const countRequests = async () =>
    ((await (await fetch(`${standIn}/stand-in`)).json()) as { requests: number }).requests

  async function generate(settings: object): Promise<Run> {
    const before = await countRequests()
    const response = await fetch(`${api}/rpc/generate_drama`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ premise: 'A keeper finds letters that were never sent.', options: settings }),
    })
    const drama = (await response.json()) as { id: string; run_id: number }
    if (!response.ok) throw new Error(`No drama was begun: ${JSON.stringify(drama)}`)
    for (let status = 'queued'; status !== 'completed'; ) {
      await sleep(50)
      const { rows } = await db.query('select status from public.jobs where id = $1', [drama.run_id])
      status = rows[0].status
      if (['failed', 'cancelled'].includes(status)) throw new Error(`The run is ${status}`)
    }
    const calls = (await countRequests()) - before
    const { rows } = await db.query(
      `select id::int, parent_id::int, type, depends_on::int[] as depends_on, status,
         extract(epoch from finished_at - created_at) * 1000 as ms
       from public.jobs where root_id = $1 order by id`,
      [drama.run_id],
    )
    const jobs = rows as Job[]
    const other = jobs.find(({ status }) => status !== 'completed')
    if (other !== undefined) throw new Error(`A ${other.type} is ${other.status}`)
    const starts = listStarts(jobs)
    // A video is a turn to begin it and one to fetch it, which makes two calls.
    const turns = jobs.filter(({ type }) => type !== 'generate_drama').length + jobs.filter(isVideo).length
    return {
      ms: Number(jobs[0]?.ms),
      boundMs: countLeast(starts, calls) * latencyMs,
      criticalMs: (Math.max(...starts) + 1) * latencyMs,
      slotsMs: (calls * latencyMs) / concurrency,
      calls,
      jobs: jobs.length,
      turns,
    }
  }

  try {
    await behave({ latencyMs: 0, videoPolls: 1 })
    const settings = { episodes: 6, scenes_per_episode: 10, characters: 8, with_video: true }
    // A worker lives for weeks: what its first dramas cost more is not what is measured.
    for (let turn = 0; turn < 3; turn++) await generate(settings)
    await behave({ latencyMs, videoPolls: 1 })
    const runs: Run[] = []
    for (let round = 0; round < rounds; round++) {
      const run = await generate(settings)
      say(`  ${run.ms.toFixed(0)} ms, where the bound is ${run.boundMs.toFixed(0)} ms`)
      runs.push(run)
    }
    const figure = (name: string, of: keyof Run, unit: string): Figure => ({
      name: `a generated drama: ${name}`,
      value: median(runs.map((run) => run[of])),
      unit,
    })
    return {
      ratio: median(runs.map(({ ms, boundMs }) => ms / boundMs)),
      figures: [
        figure('from the request to the end of its run', 'ms', 'ms'),
        figure(`the bound, ${concurrency} steps at a time`, 'boundMs', 'ms'),
        figure('the longest chain of calls', 'criticalMs', 'ms'),
        figure(`all calls, ${concurrency} at a time`, 'slotsMs', 'ms'),
        figure('calls of the stand-in', 'calls', ''),
        figure('jobs', 'jobs', ''),
        figure('turns of handlers', 'turns', ''),
      ],
    }
  } finally {
    await worker.stop('SIGTERM', 5000)
  }
}

type Job = {
  id: number
  parent_id: number | null
  type: string
  depends_on: number[] | null
  status: string
  ms: string
}
const isVideo = ({ type }: { type: string }) => type === 'generate_video'

/**
 * For each call the earliest moment, in calls: a child follows its parent's own work, a dependent all that is below what it
 * waits for.
 */
function listStarts(jobs: Job[]): number[] {
  const worked = new Map<number, number>()
  const settled = new Map<number, number>()
  const byId = new Map(jobs.map((job) => [job.id, job]))
  const starts: number[] = []
  const work = (job: Job): number => {
    const known = worked.get(job.id)
    if (known !== undefined) return known
    const parent = byId.get(job.parent_id ?? -1)
    const before = (job.depends_on ?? []).flatMap((id) => byId.get(id) ?? []).map(settle)
    const start = Math.max(parent === undefined ? 0 : work(parent), ...before)
    const cost = job.type === 'generate_drama' ? 0 : isVideo(job) ? 3 : 1
    for (let call = 0; call < cost; call++) starts.push(start + call)
    worked.set(job.id, start + cost)
    return start + cost
  }
  const settle = (job: Job): number => {
    const known = settled.get(job.id)
    if (known !== undefined) return known
    const below = jobs.filter(({ parent_id }) => parent_id === job.id).map(settle)
    const value = Math.max(work(job), ...below)
    settled.set(job.id, value)
    return value
  }
  for (const job of jobs) settle(job)
  return starts
}

/**
 * The least time, in calls: whatever can start after k calls at the earliest needs as long as the slots take for all of it. With
 * k = 0 that is all calls by the slots; with the last k, the longest chain. Polls more than one are calls, too: late ones.
 */
function countLeast(starts: number[], calls: number): number {
  const extra = calls - starts.length
  return Math.max(
    ...[...new Set(starts)].map((k) => {
      const later = starts.filter((start) => start >= k).length + extra
      return k + Math.max(1, later / concurrency)
    }),
  )
}
