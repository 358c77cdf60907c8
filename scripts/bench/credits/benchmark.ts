import { loadavg } from 'node:os'
import { join, machine, type Report, type Section } from '../report.ts'
import { type Stage, withStage } from '../stage.ts'
import { measureCheck } from './measure_check.ts'
import { measureHolds } from './measure_holds.ts'

/** The parts of the benchmark. */
export const parts = ['holds', 'check'] as const

type Part = (typeof parts)[number]
type Sizes = { rounds: number; calls: number; entries: number }

/** Measures holds and captures against an update of one row, and the nightly check at two sizes of the ledger. */
export async function benchmarkCredits(wanted: readonly Part[], sizes: Sizes): Promise<Report> {
  const { rounds, calls, entries } = sizes
  const environment = machine()
  const measures: Record<Part, (stage: Stage) => Promise<Section>> = {
    holds: (stage) => measureHolds(stage, { rounds, calls }),
    check: (stage) => measureCheck(stage, { rounds, entries }),
  }
  return withStage(async (stage) => {
    const sections: Section[] = []
    for (const part of parts) if (wanted.includes(part)) sections.push(await measures[part](stage))
    return {
      title: 'bench:credits',
      ...join(sections),
      environment: {
        ...environment,
        load_after: loadavg()[0] ?? 0,
        rounds,
        calls_per_round: calls,
        entries,
        durable: true,
      },
    }
  })
}
