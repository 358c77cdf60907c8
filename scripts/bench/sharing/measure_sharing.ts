import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { shareFlow } from '../../testing/origin_client.ts'
import { sampleFlow } from '../../testing/sample_flow.ts'
import type { LoadRequest, LoadResult } from '../load.ts'
import { ratio } from '../ratio.ts'
import { atLeast, median, type Section, say } from '../report.ts'
import type { SharingStage } from './stage.ts'

/**
 * Measures how fast flows are shared, with 20 sharers at once: share_flow in one request against the origin's client in five,
 * both into Plinth's tables. The requests of supabase-js are recorded once and sent again with new ids, because in production
 * each sharer's own browser makes them; made in one Node process, they would slow down the side with five.
 */
export async function measureSharing(stage: SharingStage): Promise<Section> {
  const { plinth, anonKey, generator, rounds, seconds, connections } = stage
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
  // There are more than were counted, because autocannon continues for a moment after a round.
  if (shared < counted * 0.9) throw new Error(`${counted} answers made only ${shared} shares`)
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
