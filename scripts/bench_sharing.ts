import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { type LoadRequest, type LoadResult, startGenerator } from './bench/load.ts'
import { atLeast, atMost, type Bar, type Figure, machine, median, print } from './bench/report.ts'
import { type Stage, startStage } from './bench/stage.ts'
import { shareFlow } from './testing/origin_client.ts'
import { sampleFlow } from './testing/sample_flow.ts'

/**
 * `npm run bench:sharing`: opening, sharing and deleting flows, Plinth against the origin's own code, both on the same
 * Postgres and PostgREST, in alternating rounds. `-- --json` prints one object.
 */

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    /** Live shares in both databases. The origin's policies read them all on every request, Plinth's function one. */
    shares: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    expired: { type: 'string', default: '100000' },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const connections = 20

type Section = { bars: Bar[]; figures: Figure[] }

const environment = machine()
const startedAt = performance.now()
const say = (line: string) => {
  if (!options.json) console.log(`${String(Math.round((performance.now() - startedAt) / 1000)).padStart(4)} s  ${line}`)
}
say(`Preparing ${options.shares} shares of 20 KB each in both databases …`)
const stage = await startStage(Number(options.shares))
const generator = startGenerator()
try {
  const sections = [await measureOpening(stage), await measureSharing(stage), await measureDeleting(stage)]
  print(
    {
      title: 'bench:sharing',
      bars: sections.flatMap((section) => section.bars),
      figures: sections.flatMap((section) => section.figures),
      environment: {
        ...environment,
        ...stage.versions,
        connections,
        rounds,
        seconds_per_round: seconds,
        live_shares: Number(options.shares),
        durable: true,
        rate_limits: 'counted; raised from 1,200 to 2,000,000,000 writes per minute and client address',
        load: 'autocannon in a process of its own, on the same machine',
      },
    },
    options.json,
  )
} finally {
  await generator.close()
  await stage.stop()
}

/** One view of a shared flow, 20 visitors at once. */
async function measureOpening({
  plinth,
  originBackend,
  parallelBackend,
  anonKey,
  shareIds,
  admin,
}: Stage): Promise<Section> {
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
      { name: 'looking for an API key, where there is none', value: look.microseconds, unit: 'µs' },
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

/**
 * What API keys cost whoever has none: the look into the headers, in microseconds. By HTTP it drowns: rounds there differ
 * by a tenth, and that any pre-request function exists costs 8 to 10% of a trivial RPC, since PostgREST sends a statement
 * of its own for it (the ratio "with gate.pre_request, against without" shows that, and is no bar: the gate limits
 * bodies, keys or not). So the gate runs in a loop inside Postgres, against its own text without the look, in turns, and
 * the difference is set against the time of a trivial request by HTTP at full load. All of it happens in the database's
 * process, while that time is shared by two or more processors: the true share is smaller.
 */
async function measureLook(admin: Stage['admin'], anonKey: string): Promise<{ microseconds: number; whole: number }> {
  // What supabase-js in a browser sends, behind a proxy.
  const headers = {
    accept: '*/*',
    'accept-encoding': 'gzip, deflate, br, zstd',
    'accept-language': 'en-GB,en;q=0.9',
    'accept-profile': 'public',
    apikey: anonKey,
    host: 'api.example.com',
    origin: 'https://harpy.chat',
    referer: 'https://harpy.chat/',
    'sec-fetch-mode': 'cors',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    'x-client-info': 'supabase-js-web/2.119.0',
    'x-forwarded-for': '203.0.113.9, 198.51.100.7',
  }
  const turns: { with_keys: number; without_keys: number }[] = []
  for (let turn = 0; turn < 31; turn++) {
    const { rows } = await admin.query('select * from app.bench_gate($1, 20000)', [JSON.stringify(headers)])
    turns.push(rows[0])
  }
  return {
    microseconds: median(turns.map((turn) => turn.with_keys - turn.without_keys)),
    whole: median(turns.map((turn) => turn.with_keys)),
  }
}

/**
 * One more shared flow, 20 sharers at once: share_flow in one request, against the origin's client in five, both into
 * Plinth's tables. The requests are those that supabase-js makes of `rpc` and of the origin's client code, recorded once
 * and sent again with new ids: in the world each sharer's own browser makes them, so their making is no load on the
 * server, and through one Node process it would weigh most on the side that makes five.
 */
async function measureSharing({ plinth, anonKey }: Stage): Promise<Section> {
  const flow = sampleFlow(0)
  const record = async (work: (client: SupabaseClient) => Promise<unknown>) => {
    const requests: LoadRequest[] = []
    const client = createClient(plinth.api, anonKey, {
      global: {
        fetch: async (input, init) => {
          const { pathname, search } = new URL(String(input))
          requests.push({
            method: 'POST',
            path: pathname.replace('/rest/v1', '') + search,
            headers: Object.fromEntries(new Headers(init?.headers)),
            body: String(init?.body),
          })
          return new Response(null, { status: 201 })
        },
      },
    })
    await work(client)
    return { url: plinth.api, connections, requests, inOrder: true }
  }
  const one = await record(async (client) => client.rpc('share_flow', { flow, share_id: '{{new:share}}' }))
  const five = await record((client) => shareFlow(client, flow, '{{new:share}}', '{{new:flow}}'))
  const ones: LoadResult[] = []
  const fives: LoadResult[] = []
  const count = async () => {
    const { rows } = await plinth.db.query<{ count: number }>(
      'select count(*)::integer as count from public.shared_resources',
    )
    return rows[0]?.count ?? 0
  }
  say('Sharing: a warm-up, then rounds …')
  for (const subject of [one, five]) await generator.run({ ...subject, seconds: 1 })
  const before = await count()
  for (let round = 0; round < rounds; round++) {
    ones.push(await generator.run({ ...one, seconds }))
    fives.push(await generator.run({ ...five, seconds }))
  }
  const shared = (await count()) - before
  const counted = ones
    .concat(fives.map((result) => ({ ...result, answers: result.answers / 5 })))
    .reduce((sum, result) => sum + result.answers, 0)
  // More come than were counted: autocannon goes on for a moment after a round.
  if (shared < counted * 0.9) throw new Error(`Only ${shared} shares came of ${counted} answers`)
  return {
    bars: [
      atLeast(
        'sharing a 20 KB flow: shares per second, against the origin’s five inserts',
        5 * ratio(ones, fives, 'perSecond'),
        3,
      ),
    ],
    figures: [
      { name: 'share_flow: shares per second', value: median(ones.map((result) => result.perSecond)), unit: '/s' },
      { name: 'share_flow: p50', value: median(ones.map((result) => result.p50)), unit: 'ms' },
      { name: 'share_flow: p99', value: median(ones.map((result) => result.p99)), unit: 'ms' },
      {
        name: 'the origin’s five inserts: shares per second',
        value: median(fives.map((result) => result.perSecond)) / 5,
        unit: '/s',
      },
      {
        name: 'the origin’s five inserts: p50 of one insert',
        value: median(fives.map((result) => result.p50)),
        unit: 'ms',
      },
      {
        name: 'the origin’s five inserts: p99 of one insert',
        value: median(fives.map((result) => result.p99)),
        unit: 'ms',
      },
    ],
  }
}

/** What the schedule does after a busy hour, and what visitors notice of it. */
async function measureDeleting({ plinth, anonKey, shareIds, admin, worker }: Stage): Promise<Section> {
  const many = Number(options.expired)
  const few = Math.ceil(many / 10)
  const probe = {
    url: plinth.api,
    perSecond: 200,
    requests: shareIds.map(
      (id): LoadRequest => ({
        method: 'GET',
        path: `/rpc/get_shared_resource?share_id=${id}`,
        headers: { apikey: anonKey, authorization: `Bearer ${anonKey}` },
      }),
    ),
  }
  const insert = async (shares: number) => {
    say(`Deleting: preparing ${shares} expired shares …`)
    await admin.query('set session_replication_role = replica')
    await admin.query('call app.bench_insert_expired($1)', [shares])
    await admin.query(
      'vacuum analyze public.shared_resources, public.flows, public.agents, public.data_store_nodes, public.if_nodes',
    )
    await admin.query('checkpoint')
  }
  /** Batch by batch, as the worker runs the schedule: milliseconds of each, the last one, which finds nothing, left out. */
  const remove = async (shares: number): Promise<number[]> => {
    const times: number[] = []
    let deleted = 0
    for (;;) {
      const from = performance.now()
      const { rows } = await worker.query<{ handled: number }>(
        "select worker.run_schedule('delete-expired-shares') as handled",
      )
      if (!rows[0]?.handled) break
      deleted += rows[0].handled
      times.push(performance.now() - from)
    }
    if (deleted !== shares) throw new Error(`${deleted} shares were deleted instead of ${shares}`)
    return times
  }
  await insert(few)
  // Readers here, too: they take part of the machine.
  const { value: short } = await generator.probe(probe, () => remove(few))
  await insert(many)
  say('Deleting: readers alone, then readers and the schedule …')
  await sleep(1000)
  const before = await generator.probe(probe, () => sleep(4000))
  const during = await generator.probe(probe, async () => {
    const watcher = new AbortController()
    const removing = remove(many).finally(() => watcher.abort())
    const [times, waiting] = await Promise.all([removing, watchLocks(admin, watcher.signal)])
    return { times, waiting }
  })
  const { times, waiting } = during.value
  const tenth = Math.ceil(times.length / 10)
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const name = `deleting ${many.toLocaleString('en')} expired shares`
  // Were it quadratic, the two ratios would be about 10 and more.
  return {
    bars: [
      atMost(`${name}: longest statement`, Math.max(...times), 1000, 'ms'),
      atMost(
        `${name}: time per share, last tenth of the batches against the first`,
        median(times.slice(-tenth)) / median(times.slice(0, tenth)),
        1.5,
      ),
      atMost(
        `${name}: time per share, against deleting ${few.toLocaleString('en')}`,
        median(times) / median(short),
        1.5,
      ),
      atMost(`${name}: readers seen waiting for a lock`, waiting, 0, ''),
      atMost(`${name}: p99 of readers meanwhile, against before`, during.result.p99 / before.result.p99, 5),
    ],
    figures: [
      { name: `${name}: total`, value: sum(times) / 1000, unit: 's' },
      { name: `${name}: batches`, value: times.length, unit: '' },
      { name: `${name}: time per batch`, value: median(times), unit: 'ms' },
      { name: `deleting ${few.toLocaleString('en')} expired shares: total`, value: sum(short) / 1000, unit: 's' },
      { name: 'readers before (200 a second): p50', value: before.result.p50, unit: 'ms' },
      { name: 'readers before: p99', value: before.result.p99, unit: 'ms' },
      { name: 'readers meanwhile: p50', value: during.result.p50, unit: 'ms' },
      { name: 'readers meanwhile: p99', value: during.result.p99, unit: 'ms' },
      { name: 'readers meanwhile: slowest', value: during.result.max, unit: 'ms' },
    ],
  }
}

/** Looks every 20 ms which requests wait for a lock, and returns how many were seen waiting. */
async function watchLocks(admin: Stage['admin'], signal: AbortSignal): Promise<number> {
  let waiting = 0
  while (!signal.aborted) {
    const { rows } = await admin.query<{ waiting: number }>(
      "select count(*)::integer as waiting from pg_stat_activity where usename = 'authenticator' and wait_event_type = 'Lock'",
    )
    waiting += rows[0]?.waiting ?? 0
    await sleep(20)
  }
  return waiting
}

/** The median of the rounds' ratios: rounds lie side by side in time, so a noisy minute touches both of a pair. */
function ratio(these: LoadResult[], those: LoadResult[], figure: 'perSecond' | 'p99'): number {
  return median(these.map((result, round) => result[figure] / (those[round]?.[figure] ?? Number.NaN)))
}

function entries<K extends string, V>(object: Record<K, V>): [K, V][] {
  return Object.entries(object) as [K, V][]
}

/** All sides must give the same package, or nothing is compared. */
async function requireSameAnswers(ids: string[], urls: ((id: string) => string)[]): Promise<void> {
  for (const id of ids.slice(0, 3)) {
    const answers = await Promise.all(urls.map(async (url) => canonical(await (await fetch(url(id))).json())))
    if (new Set(answers).size !== 1) throw new Error('The sides do not give the same package')
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
