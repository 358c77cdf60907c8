import type { LoadRequest, LoadResult } from '../load.ts'
import { ratio } from '../ratio.ts'
import { atLeast, atMost, median, type Section, say } from '../report.ts'
import type { StudioStage } from './stage.ts'

/**
 * Measures requests for images through PostgREST, each client another user: a hit of the cache, which is answered at once, and
 * a miss, whose answer follows the commit of the hold, the generation and the run. No worker runs. The competitor is a function
 * with the same arguments that does nothing.
 */
export async function measureRequests(stage: StudioStage): Promise<Section> {
  const { generator, rounds, seconds, connections } = stage
  say('Requests: a warm-up, then rounds …')
  const { admin, users, toolId } = await stage.open('requests', '"etag"')
  const url = await stage.serve('requests')
  const post = (path: string, color: string) => ({
    url,
    connections,
    requests: users.map(
      ({ headers, photo }): LoadRequest => ({
        method: 'POST',
        path,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({
          tool_id: toolId,
          tool_parameters: { color },
          original_image_storage_path: photo,
        }),
      }),
    ),
  })
  const subjects = {
    trivial: post('/rpc/bench_trivial', 'black'),
    hit: post('/rpc/process_image', 'black'),
    miss: post('/rpc/process_image', '{{new:color}}'),
  }
  // Fills the cache: requests each generation once, then completes it as record_generations does.
  for (const request of subjects.hit.requests) await send(url, request)
  await admin.query(`
    select app.release_holds(array_agg(g.run_id)) from public.generations as g;
    insert into cache.kv_store (key, value, expires_at)
    select
      d.cache_key,
      jsonb_build_object('generation_id', g.id, 'url', 'https://x.test/' || g.id, 'result', null),
      app.now() + interval '1 day'
    from app.generation_details as d
    join public.generations as g on g.id = d.generation_id;
    update public.generations as g
    set status = 'completed', url = 'https://x.test/' || g.id, completed_at = app.now();
    update app.generation_details set ended_at = app.now(), prompt = null;
  `)
  const [request] = subjects.hit.requests
  const answer = request && (await send(url, request))
  if (!answer?.includes('"cached": true')) throw new Error(`The cache did not answer: ${answer}`)
  const results: Record<keyof typeof subjects, LoadResult[]> = { trivial: [], hit: [], miss: [] }
  for (const subject of Object.values(subjects)) await generator.run({ ...subject, seconds: 1 })
  await admin.query('analyze')
  for (let round = 0; round < rounds; round++) {
    for (const [name, subject] of Object.entries(subjects) as [keyof typeof subjects, (typeof subjects)['hit']][]) {
      results[name].push(await generator.run({ ...subject, seconds }))
    }
  }
  const figures = Object.entries({
    trivial: 'a trivial RPC',
    hit: 'a cache hit',
    miss: 'a miss, from the hold to the enqueued step',
  } as const).flatMap(([key, name]) => {
    const of = results[key as keyof typeof subjects]
    return [
      { name: `${name}: requests per second`, value: median(of.map(({ perSecond }) => perSecond)), unit: '/s' },
      { name: `${name}: p50, ${connections} clients`, value: median(of.map(({ p50 }) => p50)), unit: 'ms' },
      { name: `${name}: p99`, value: median(of.map(({ p99 }) => p99)), unit: 'ms' },
    ]
  })
  return {
    bars: [
      atLeast(
        'a cache hit: requests per second, against a trivial RPC',
        ratio(results.hit, results.trivial, 'perSecond'),
        0.7,
      ),
      atMost('a miss: p50, against a trivial RPC', ratio(results.miss, results.trivial, 'p50'), 4),
    ],
    figures,
  }
}

async function send(url: string, { path, ...request }: LoadRequest): Promise<string> {
  const response = await fetch(`${url}${path}`, request as RequestInit)
  const text = await response.text()
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`)
  return text
}
