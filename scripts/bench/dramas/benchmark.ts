import { loadavg } from 'node:os'
import { startGenerator } from '../load.ts'
import { join, machine, type Report, type Section } from '../report.ts'
import { withStage } from '../stage.ts'
import { measureCallbacks } from './measure_callbacks.ts'
import { measureGenerating } from './measure_generating.ts'
import { measureOpening } from './measure_opening.ts'
import { prepareDramas } from './stage.ts'

/**
 * Measures how fast a drama opens, against the origin's repository on the same tables, Postgres and PostgREST, in alternating
 * rounds; how much the callbacks of dramas cost steps of other types; and how long a drama is generated, against the time of
 * its calls alone.
 */
export async function benchmarkDramas(options: {
  dramas: number
  rounds: number
  seconds: number
  only: string | undefined
}): Promise<Report> {
  const { dramas, rounds, seconds, only } = options
  const connections = 20
  const environment = machine()
  const generator = startGenerator()
  try {
    return await withStage(async (stage) => {
      const bench = await prepareDramas(stage, { generator, rounds, seconds, connections })
      const sections: Section[] = []
      if (only !== 'generating') sections.push(await measureOpening(bench, dramas), await measureCallbacks(bench))
      if (only !== 'opening') sections.push(await measureGenerating(bench))
      return {
        title: 'bench:dramas',
        ...join(sections),
        environment: {
          ...environment,
          load_after: loadavg()[0] ?? 0,
          connections,
          requests_at_once: 'off, because one user opens all dramas',
          rounds,
          seconds_per_round: seconds,
          dramas,
          load: 'autocannon in a process of its own, on the same machine',
          generating: 'one worker process, the stand-in, an S3 server, Postgres: each a process on the same machine',
        },
      }
    })
  } finally {
    await generator.close()
  }
}
