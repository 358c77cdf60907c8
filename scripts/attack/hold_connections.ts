import { floodReads } from './flood_reads.ts'
import { judge, type Target, type Verdict } from './target.ts'

/** Holds the connections of the API with expensive reads of one anonymous address. Another address must get answers as before. */
export async function attackWithReads(target: Target): Promise<Verdict[]> {
  const { quiet, flooded, statuses } = await floodReads({
    url: `${target.env['SUPABASE_URL']}/rest/v1`,
    anonKey: target.env['SUPABASE_ANON_KEY'] ?? '',
    seconds: 6,
  })
  const failed = Object.entries(statuses).filter(([status]) => status !== '200')
  const before = '2026-11-27'
  return [
    judge({
      name: '80 parallel expensive reads of one address: p99 of another reader, against its p99 without',
      figure: flooded.p99 / quiet.p99,
      unit: '×',
      bound: 5,
      before: { figure: 79.6, on: before },
    }),
    judge({
      name: '80 parallel expensive reads of one address: failed reads of another reader, of 25 a second',
      figure: failed.reduce((sum, [, count]) => sum + count, 0),
      unit: 'reads',
      bound: 0,
      before: { figure: 85, on: before },
    }),
  ]
}
