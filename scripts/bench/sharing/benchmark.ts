import { startGenerator } from '../load.ts'
import { join, machine, type Report, say } from '../report.ts'
import { withStage } from '../stage.ts'
import { measureDeleting } from './measure_deleting.ts'
import { measureOpening } from './measure_opening.ts'
import { measureSharing } from './measure_sharing.ts'
import { prepareSharing } from './stage.ts'

/**
 * Measures opening, sharing and deleting flows: Plinth against the origin's own code, both on the same Postgres and PostgREST,
 * in alternating rounds. The origin's policies read all live shares on every request, Plinth's function reads one.
 */
export async function benchmarkSharing(options: {
  shares: number
  rounds: number
  seconds: number
  expired: number
}): Promise<Report> {
  const { shares, rounds, seconds, expired } = options
  const connections = 20
  const environment = machine()
  say(`Preparing ${shares} shares of 20 KB each in both databases …`)
  const generator = startGenerator()
  try {
    return await withStage(async (stage) => {
      const sharing = await prepareSharing(stage, shares, { generator, rounds, seconds, connections })
      const sections = [
        await measureOpening(sharing),
        await measureSharing(sharing),
        await measureDeleting(sharing, expired),
      ]
      return {
        title: 'bench:sharing',
        ...join(sections),
        environment: {
          ...environment,
          ...sharing.versions,
          connections,
          rounds,
          seconds_per_round: seconds,
          live_shares: shares,
          durable: true,
          rate_limits: 'counted; raised from 1,200 to 2,000,000,000 writes per minute and client address',
          requests_at_once: `on, as by default; ${shares} client addresses open, ${connections} share`,
          load: 'autocannon in a process of its own, on the same machine',
        },
      }
    })
  } finally {
    await generator.close()
  }
}
