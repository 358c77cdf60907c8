import { loadavg } from 'node:os'
import { startGenerator } from '../load.ts'
import { join, machine, type Report, type Section } from '../report.ts'
import { withStage } from '../stage.ts'
import { measureGenerations } from './measure_generations.ts'
import { measureRequests } from './measure_requests.ts'
import { prepareStudio, type StudioStage } from './stage.ts'

/** The parts of the benchmark. */
export const parts = ['requests', 'generations'] as const

type Part = (typeof parts)[number]
type Sizes = { rounds: number; seconds: number; generations: number }

/** Measures the studio: cache hits and misses against a trivial RPC, and a generation against a no-op step. */
export async function benchmarkStudio(wanted: readonly Part[], sizes: Sizes): Promise<Report> {
  const { rounds, seconds, generations } = sizes
  const connections = 20
  const environment = machine()
  const generator = startGenerator()
  const measures: Record<Part, (stage: StudioStage) => Promise<Section>> = {
    requests: measureRequests,
    generations: (stage) => measureGenerations(stage, generations),
  }
  try {
    return await withStage(async (stage) => {
      const bench = await prepareStudio(stage, { generator, rounds, seconds, connections })
      const sections: Section[] = []
      for (const part of parts) if (wanted.includes(part)) sections.push(await measures[part](bench))
      return {
        title: 'bench:studio',
        ...join(sections),
        environment: {
          ...environment,
          load_after: loadavg()[0] ?? 0,
          connections,
          rounds,
          seconds_per_round: seconds,
          generations_per_round: generations,
          requests_at_once: 'on, as by default; each of the 20 clients is another user',
          durable: true,
          load: 'autocannon in a process of its own, on the same machine',
        },
      }
    })
  } finally {
    await generator.close()
  }
}
