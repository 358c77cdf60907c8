import { canonical } from '../canonical.ts'
import type { LoadRequest, LoadResult } from '../load.ts'
import { ratio } from '../ratio.ts'
import { atLeast, atMost, type Figure, median, type Section, say } from '../report.ts'
import { measureLook } from './measure_look.ts'
import type { SharingStage } from './stage.ts'

/** Measures how fast a shared flow opens, with 20 visitors at once. */
export async function measureOpening(stage: SharingStage): Promise<Section> {
  const { plinth, originBackend, parallelBackend, anonKey, shareIds, admin } = stage
  const { generator, rounds, seconds, connections } = stage
  const headers = { apikey: anonKey, authorization: `Bearer ${anonKey}` }
  const open = (url: string, path: string) => ({
    url,
    connections,
    requests: shareIds.map((id): LoadRequest => ({ method: 'GET', path: `${path}${id}`, headers })),
  })
  const subjects = {
    plinth: open(plinth.api, '/rpc/get_shared_resource?share_id='),
    origin: open(originBackend, '/api/shared/'),
    trivial: open(plinth.api, '/rpc/bench_trivial?share_id='),
    parallel: open(parallelBackend, '/api/shared/'),
  }
  await requireSameAnswers(shareIds, [
    (id) => `${plinth.api}/rpc/get_shared_resource?share_id=${id}`,
    (id) => `${originBackend}/api/shared/${id}`,
    (id) => `${parallelBackend}/api/shared/${id}`,
  ])
  const results: Record<keyof typeof subjects | 'ungated', LoadResult[]> = {
    plinth: [],
    origin: [],
    trivial: [],
    parallel: [],
    ungated: [],
  }
  say('Opening: a warm-up, then rounds …')
  for (const subject of Object.values(subjects)) await generator.run({ ...subject, seconds: 1 })
  for (let round = 0; round < rounds; round++) {
    for (const [name, subject] of entries(subjects)) results[name].push(await generator.run({ ...subject, seconds }))
    // The same without gate.pre_request, which PostgREST calls before each request.
    await admin.query("alter role authenticator in database plinth set pgrst.db_pre_request = ''")
    await admin.query("notify pgrst, 'reload config'")
    results.ungated.push(await generator.run({ ...subjects.trivial, seconds }))
    await admin.query('alter role authenticator in database plinth reset pgrst.db_pre_request')
    await admin.query("notify pgrst, 'reload config'")
  }
  const look = await measureLook(admin, anonKey)
  const rate = (name: keyof typeof results) => median(results[name].map((result) => result.perSecond))
  const p50 = (name: keyof typeof results) => median(results[name].map((result) => result.p50))
  const p99 = (name: keyof typeof results) => median(results[name].map((result) => result.p99))
  const figures = (name: keyof typeof results, label: string): Figure[] => [
    { name: `${label}: requests per second`, value: rate(name), unit: '/s' },
    { name: `${label}: p50`, value: p50(name), unit: 'ms' },
    { name: `${label}: p99`, value: p99(name), unit: 'ms' },
  ]
  return {
    bars: [
      atLeast(
        'opening a 20 KB flow: requests per second, against the origin’s backend',
        ratio(results.plinth, results.origin, 'perSecond'),
        6,
      ),
      atLeast(
        'opening a 20 KB flow: p99 of the origin’s backend, against Plinth’s',
        ratio(results.origin, results.plinth, 'p99'),
        3,
      ),
      atLeast(
        'opening a 20 KB flow: requests per second, against a trivial RPC',
        ratio(results.plinth, results.trivial, 'perSecond'),
        0.6,
      ),
      atMost(
        'a request without an API key: what looking for one adds to a trivial RPC',
        (look.microseconds * rate('trivial')) / 1e4,
        3,
        '%',
      ),
    ],
    figures: [
      ...figures('plinth', 'get_shared_resource'),
      ...figures('origin', 'the origin’s backend'),
      ...figures('parallel', 'the same by raw HTTP, in parallel'),
      ...figures('trivial', 'trivial RPC'),
      { name: 'trivial RPC without gate.pre_request: requests per second', value: rate('ungated'), unit: '/s' },
      {
        name: 'trivial RPC with gate.pre_request, against without',
        value: ratio(results.trivial, results.ungated, 'perSecond'),
        unit: '×',
      },
      { name: 'looking for an API key in a request without one', value: look.microseconds, unit: 'µs' },
      { name: 'gate.pre_request in all, inside Postgres', value: look.whole, unit: 'µs' },
      {
        name: 'raw HTTP in parallel, against the origin’s backend',
        value: ratio(results.parallel, results.origin, 'perSecond'),
        unit: '×',
      },
      {
        name: 'share of a core that the load generator used, at most',
        value: Math.max(
          ...Object.values(results)
            .flat()
            .map((result) => result.generatorCpu),
        ),
        unit: '',
      },
    ],
  }
}

function entries<K extends string, V>(object: Record<K, V>): [K, V][] {
  return Object.entries(object) as [K, V][]
}

/** Requires that all sides return the same package. */
async function requireSameAnswers(ids: string[], urls: ((id: string) => string)[]): Promise<void> {
  for (const id of ids.slice(0, 3)) {
    const answers = await Promise.all(urls.map(async (url) => canonical(await (await fetch(url(id))).json())))
    if (new Set(answers).size !== 1) throw new Error('The sides do not return the same package.')
  }
}
