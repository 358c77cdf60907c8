import { setTimeout as sleep } from 'node:timers/promises'
import { judge, type Target, until, type Verdict } from './target.ts'

/** Deletes users with dramas, and looks whether their images still load without credentials. */
export async function attackDeletedMedia(target: Target): Promise<Verdict[]> {
  const options = { episodes: 1, scenes_per_episode: 2, characters: 1 }
  const generate = async () => {
    const user = await target.signUp()
    const answer = await target.ask('/rpc/generate_drama', {
      token: user.token,
      body: { premise: 'A portrait of a real person.', options },
    })
    return { user, drama: JSON.parse(answer.text) as { id: string; run_id: number } }
  }
  const read = async ({ user, drama }: Awaited<ReturnType<typeof generate>>) => {
    await until('the drama is complete', 30, async () => {
      const { rows } = await target.db.query('select status from public.jobs where id = $1', [drama.run_id])
      return rows[0]?.status === 'completed' || undefined
    })
    const { text } = await target.ask(`/rpc/get_drama_complete?drama_id=${drama.id}`, { token: user.token })
    return [...text.matchAll(/"(?:portrait|image)_url"\s*:\s*"([^"]+)"/g)].map((match) => match[1] ?? '')
  }
  const [first, second] = await Promise.all([generate(), generate()])
  const urls = [...(await read(first)), ...(await read(second))]
  if (urls.length !== 6) throw new Error(`The dramas have ${urls.length} images instead of 6.`)
  const cached = await Promise.all(urls.map((url) => fetch(url, { method: 'HEAD' })))
  const ages = cached.map(({ headers }) => Number(/max-age=(\d+)/.exec(headers.get('cache-control') ?? '')?.[1] ?? 0))

  // One drama is deleted by its owner, the other with its owner.
  await target.ask('/rpc/delete_drama', { token: first.user.token, body: { drama_id: first.drama.id } })
  await target.db.query('delete from auth.users where id = $1', [second.user.id])
  const readable = async () => {
    const answers = await Promise.all(urls.map((url) => fetch(url, { method: 'HEAD' })))
    return answers.filter(({ ok }) => ok).length
  }
  // The worker deletes the objects soon after, or when the schedule, which runs every five minutes, finds them.
  let figure = await readable()
  for (let look = 1; look <= 40 && figure > 0; look++) {
    await sleep(250)
    if (look % 8 === 0) {
      const name = 'remove-deleted-media'
      await target.db.query('select worker.run_schedule(s.name) from app.schedules as s where s.name = $1', [name])
    }
    figure = await readable()
  }
  const before = '2026-11-27'
  return [
    judge({
      name: 'images of a deleted drama and a deleted user: how many of six still load',
      figure,
      unit: 'images',
      bound: 0,
      before: { figure: 6, on: before },
    }),
    judge({
      name: 'images of dramas: how long caches may keep a deleted image',
      figure: Math.max(...ages) / 3600,
      unit: 'h',
      bound: 24,
      before: { figure: 8760, on: before },
    }),
  ]
}
