import { setTimeout as sleep } from 'node:timers/promises'
import { isAccepted, judge, type Target, until, type Verdict } from './target.ts'

const premise = 'A keeper finds letters.'

/** Cancels and retries a run whose videos are pending. Each cycle must continue the operations instead of buying new ones. */
export async function attackByBuyingAgain(target: Target): Promise<Verdict> {
  const videos = 6
  const { call, begun } = await signUp(target)
  const arePolled = (since: number) =>
    until('the videos are pending', 30, async () => countPolled(target, since) >= videos || undefined)
  await target.behave({ videoPolls: 1_000_000 })
  try {
    const start = target.log('gemini-stand-in').length
    const options = { episodes: 1, scenes_per_episode: videos, characters: 1, with_video: true }
    const { run_id: job_id } = await call('generate_drama', { premise, options })
    await arePolled(start)
    for (let cycle = 0; cycle < 3; cycle++) {
      await call('cancel_job', { job_id })
      const since = target.log('gemini-stand-in').length
      await call('retry_job', { job_id })
      await arePolled(since)
    }
    await call('cancel_job', { job_id })
    return judge({
      name: 'cancelling and retrying a run three times: purchases of each pending video',
      figure: begun() / videos,
      unit: 'purchases',
      bound: 1,
      before: { figure: 4, on: '2026-11-27' },
    })
  } finally {
    await target.behave({ videoPolls: 3 })
  }
}

/** Cancels a run as soon as it buys a video, before the worker could save its state, and retries the run. */
export async function attackByCancellingEarly(target: Target): Promise<Verdict> {
  const { call, begun } = await signUp(target)
  await target.behave({ videoPolls: 1_000_000 })
  try {
    const options = { episodes: 1, scenes_per_episode: 10, characters: 1, with_video: true }
    const { run_id: job_id } = await call('generate_drama', { premise, options })
    for (let cycle = 0, idle = 0; cycle < 10 && idle < 2; cycle++) {
      const known = begun()
      for (let look = 0; look < 100 && begun() < known + 5; look++) await sleep(10)
      await call('cancel_job', { job_id })
      // All videos are pending, so a retry buys nothing.
      idle = begun() === known ? idle + 1 : 0
      if ((await call('retry_job', { job_id })) === undefined) break
    }
    await call('cancel_job', { job_id })
    return judge({
      name: 'cancelling a run whenever it buys, and retrying it: videos bought by a free user',
      figure: begun(),
      unit: 'videos',
      bound: 20,
      before: { figure: 100, on: '2026-11-27' },
    })
  } finally {
    await target.behave({ videoPolls: 3 })
  }
}

/** Makes a user who calls functions: undefined for a refusal by the limit of a day. Counts the videos bought from now on. */
async function signUp(target: Target) {
  const { token } = await target.signUp()
  const count = () => target.log('gemini-stand-in').match(/:predictLongRunning$/gm)?.length ?? 0
  const first = count()
  return {
    call: async (name: string, body: object) => {
      const answer = await target.ask(`/rpc/${name}`, { token, body })
      return isAccepted(answer, 'media_limit_reached', 'job_finished') ? JSON.parse(answer.text || 'null') : undefined
    },
    begun: () => count() - first,
  }
}

/** Counts the operations that the worker asked for after this place of the log. */
function countPolled(target: Target, since: number): number {
  const lines = target.log('gemini-stand-in').slice(since).split('\n')
  return new Set(lines.map((line) => /GET \S+\/operations\/(\S+)$/.exec(line)?.[1]).filter(Boolean)).size
}

/** Orders dramas with as many videos as a free user gets in a day. No step runs during the attack. */
export async function attackByOrderingVideos(target: Target): Promise<Verdict> {
  const { id, token } = await target.signUp()
  const { rows: limits } = await target.db.query('select name, running_limit from public.job_types')
  await target.db.query('update public.job_types set running_limit = 0')
  let figure = 0
  try {
    for (const [episodes, scenes] of [
      [24, 30],
      [5, 20],
      [2, 10],
      [1, 10],
      [1, 5],
      [1, 1],
    ] as const) {
      for (let request = 0; request < 60; request++) {
        const options = { episodes, scenes_per_episode: scenes, characters: 1, with_video: true }
        const { status } = await target.ask('/rpc/generate_drama', { token, body: { premise: 'A flood.', options } })
        if (status !== 200) break
        figure += episodes * scenes
      }
    }
    await target.db.query('delete from auth.users where id = $1', [id])
  } finally {
    for (const { name, running_limit } of limits) {
      await target.db.query('update public.job_types set running_limit = $2 where name = $1', [name, running_limit])
    }
  }
  return judge({
    name: 'ordering dramas with videos: videos that a free user may buy in a day',
    figure,
    unit: 'videos',
    bound: 20,
    before: { figure: 36_000, on: '2026-11-27' },
  })
}
