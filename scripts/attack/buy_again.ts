import { judge, type Target, until, type Verdict } from './target.ts'

const videos = 6
const cycles = 3

/** Cancels and retries a run whose videos are pending. Each cycle must continue the operations instead of buying new ones. */
export async function attackByBuyingAgain(target: Target): Promise<Verdict> {
  const { token } = await target.signUp()
  const call = async (name: string, body: object) => {
    const answer = await target.ask(`/rpc/${name}`, { token, body })
    if (answer.status >= 300) throw new Error(`${name}: ${answer.status} ${answer.text}`)
    return JSON.parse(answer.text || 'null')
  }
  const begun = () => target.log('gemini-stand-in').match(/:predictLongRunning$/gm)?.length ?? 0
  await target.behave({ videoPolls: 1_000_000 })
  try {
    const first = begun()
    const { run_id: job_id } = await call('generate_drama', {
      premise: 'A keeper finds letters.',
      options: { episodes: 1, scenes_per_episode: videos, characters: 1, with_video: true },
    })
    await until('the videos are begun', 30, async () => begun() - first >= videos || undefined)
    for (let cycle = 0; cycle < cycles; cycle++) {
      await call('cancel_job', { job_id })
      const since = target.log('gemini-stand-in').length
      await call('retry_job', { job_id })
      await until('the videos are pending again', 30, async () => touched(target, since) >= videos || undefined)
    }
    const figure = (begun() - first) / videos
    await call('cancel_job', { job_id })
    return judge({
      name: 'cancelling and retrying a run three times: purchases of each pending video',
      figure,
      unit: 'purchases',
      bound: 1,
      before: { figure: 4, on: '2026-11-27' },
    })
  } finally {
    await target.behave({ videoPolls: 3 })
  }
}

/** Counts the operations that were begun or asked for after this place of the log. */
function touched(target: Target, since: number): number {
  const lines = target.log('gemini-stand-in').slice(since).split('\n')
  const begun = lines.filter((line) => line.endsWith(':predictLongRunning')).length
  return begun + new Set(lines.map((line) => /GET \S+\/operations\/(\S+)$/.exec(line)?.[1]).filter(Boolean)).size
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
