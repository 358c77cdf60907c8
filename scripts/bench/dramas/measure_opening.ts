import { join } from 'node:path'
import { signApiKey } from '../../local/jwt.ts'
import { canonical } from '../canonical.ts'
import type { LoadResult } from '../load.ts'
import { ratio } from '../ratio.ts'
import { atLeast, type Figure, median, type Section, say } from '../report.ts'
import { sampleDrama } from './sample_drama.ts'
import type { DramasStage } from './stage.ts'

/** Opens dramas by Plinth and by the origin's repository, in turns. */
export async function measureOpening(stage: DramasStage, dramas: number): Promise<Section> {
  const { cluster, user, db, admin, api, headers, generator, rounds, seconds, connections } = stage
  say(`Preparing ${dramas} dramas …`)
  const ids: string[] = []
  await db.query(`select set_config('request.jwt.claims', '{"role": "service_role"}', false)`)
  for (let n = 0; n < dramas; n++) {
    const drama = sampleDrama(n)
    await db.query('select public.save_drama_complete($1, $2)', [JSON.stringify(drama), user.id])
    ids.push(drama.id)
  }
  // The origin's tables have every column of the document. Plinth keeps some of them in private tables.
  await admin.query(`
    create table origin_dramas as
      select d.*, coalesce(x.extra, '{}') as extra from dramas as d left join app.drama_extras as x on x.drama_id = d.id;
    create table origin_drama_characters as select * from drama_characters;
    create table origin_episodes as
      select e.*, coalesce(x.script, '') as script, coalesce(x.extra, '{}') as extra
      from episodes as e left join app.episode_details as x on x.episode_id = e.id;
    create table origin_scenes as
      select s.*, coalesce(x.image_prompt, '') as image_prompt, coalesce(x.video_prompt, '') as video_prompt,
        coalesce(x.extra, '{}') as extra
      from scenes as s left join app.scene_details as x on x.scene_id = s.id;
    alter table origin_dramas add primary key (id);
    create index on origin_drama_characters (drama_id);
    create index on origin_episodes (drama_id);
    create index on origin_scenes (episode_id);
    grant select on origin_dramas, origin_drama_characters, origin_episodes, origin_scenes to service_role`)
  await admin.query("notify pgrst, 'reload schema'")
  await admin.query('vacuum analyze')

  const theirs = (id: string) => `/users/${user.id}/dramas/${id}`
  const backend = await stage.startBackend(
    join(import.meta.dirname, 'origin_backend.ts'),
    { POSTGREST_URL: api, SUPABASE_SERVICE_KEY: await signApiKey('service_role', cluster.secrets.jwtSecret) },
    theirs(ids[0] ?? ''),
  )
  const ours = (id: string) => `/rpc/get_drama_complete?drama_id=${id}`
  const [mine, its] = await Promise.all([
    fetch(`${api}${ours(ids[0] ?? '')}`, { headers }),
    fetch(`${backend}${theirs(ids[0] ?? '')}`),
  ])
  const text = await mine.text()
  if (canonical(JSON.parse(text)) !== canonical(await its.json()))
    throw new Error('The sides do not return the same drama.')

  const load = (url: string, path: (id: string) => string) => ({
    url,
    connections,
    requests: ids.map((id) => ({ method: 'GET' as const, path: path(id), headers })),
  })
  const subjects = { plinth: load(api, ours), origin: load(backend, theirs), unpacked: load(api, ours) }
  const results: Record<keyof typeof subjects, LoadResult[]> = { plinth: [], origin: [], unpacked: [] }
  say('Opening: a warm-up, then rounds …')
  for (const name of ['plinth', 'origin'] as const) await generator.run({ ...subjects[name], seconds: 1 })
  for (let round = 0; round < rounds; round++) {
    for (const name of ['plinth', 'origin', 'unpacked'] as const) {
      // As during generation: no stored package is current.
      if (name === 'unpacked')
        await admin.query("update app.drama_packages set updated_at = updated_at - interval '1 s'")
      results[name].push(await generator.run({ ...subjects[name], seconds }))
      if (name === 'unpacked')
        await admin.query("update app.drama_packages set updated_at = updated_at + interval '1 s'")
    }
  }
  const figuresOf = (name: keyof typeof results, label: string): Figure[] => [
    { name: `${label}: requests per second`, value: median(results[name].map((one) => one.perSecond)), unit: '/s' },
    { name: `${label}: p50`, value: median(results[name].map((one) => one.p50)), unit: 'ms' },
    { name: `${label}: p99`, value: median(results[name].map((one) => one.p99)), unit: 'ms' },
  ]
  return {
    bars: [
      atLeast(
        'opening a drama of 8 characters, 6 episodes, 60 scenes: requests per second, against the origin’s repository',
        ratio(results.plinth, results.origin, 'perSecond'),
        5,
      ),
    ],
    figures: [
      ...figuresOf('plinth', 'get_drama_complete'),
      ...figuresOf('unpacked', 'get_drama_complete while the drama grows'),
      ...figuresOf('origin', 'the origin’s repository'),
      { name: 'size of the document', value: text.length / 1024, unit: 'KiB' },
    ],
  }
}
