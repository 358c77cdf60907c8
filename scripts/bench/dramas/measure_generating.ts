import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../local/ports.ts'
import { spacesEnv, startGeminiStandIn, startObjectStore, startService } from '../../local/services.ts'
import { allowMedia } from '../../testing/allow_media.ts'
import { databaseUrl } from '../../testing/cluster.ts'
import { atMost, type Figure, median, type Section, say } from '../report.ts'
import { countLeast, isVideo, type Job, listStarts } from './bound.ts'
import type { DramasStage } from './stage.ts'

/** One generated drama: how long it took, and the least that it could have taken. */
type Run = {
  ms: number
  boundMs: number
  criticalMs: number
  slotsMs: number
  calls: number
  jobs: number
  turns: number
}

const latencyMs = 50
/** The default of the worker. */
const concurrency = 10
const pollMs = 50

/**
 * Generates whole dramas by a real worker process, with a stand-in that takes 50 ms for each answer, and a real S3 API. No
 * order of the calls is faster than the bound: see {@link countLeast}.
 */
export async function measureGenerating({ cluster, db, api, headers, rounds }: DramasStage): Promise<Section> {
  const { home } = cluster
  const [standInPort, storePort, healthPort] = [await freePort(), await freePort(), await freePort()]
  const standIn = `http://127.0.0.1:${standInPort}`
  await startGeminiStandIn(home, standInPort)
  await startObjectStore(home, storePort)
  // As an operator would set it for one such worker, so that no type waits for its limit.
  await db.query('update public.job_types set owner_running_limit = 200, owner_open_limit = null where has_handler')
  // Each drama has 68 images and 60 videos, more than a plan allows.
  await allowMedia(db)
  const env = {
    DATABASE_URL: databaseUrl(cluster, 'plinth', 'worker'),
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
    if (!response.ok) throw new Error(`generate_drama failed: ${JSON.stringify(drama)}`)
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
    // A video takes two turns: one starts it, the other fetches it with two calls.
    const turns = jobs.filter(({ type }) => type !== 'generate_drama').length + jobs.filter(isVideo).length
    return {
      ms: Number(jobs[0]?.ms),
      boundMs: countLeast(starts, calls, concurrency) * latencyMs,
      criticalMs: (Math.max(...starts) + 1) * latencyMs,
      slotsMs: (calls * latencyMs) / concurrency,
      calls,
      jobs: jobs.length,
      turns,
    }
  }

  say('Generating: a warm-up, then rounds …')
  try {
    await behave({ latencyMs: 0, videoPolls: 1 })
    const settings = { episodes: 6, scenes_per_episode: 10, characters: 8, with_video: true }
    // Warm-up: a worker runs for weeks, so the extra cost of its first dramas does not matter.
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
    const ratio = median(runs.map(({ ms, boundMs }) => ms / boundMs))
    return {
      bars: [atMost('generating a drama of 8 characters, 6 episodes, 60 scenes: time, against its bound', ratio, 1.3)],
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
