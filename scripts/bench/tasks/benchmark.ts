import { loadavg } from 'node:os'
import { startGenerator } from '../load.ts'
import { join, machine, type Report, type Section } from '../report.ts'
import { withStage } from '../stage.ts'
import { measureBatches } from './measure_batches.ts'
import { measureListing } from './measure_listing.ts'
import { measureSubmitting } from './measure_submitting.ts'
import { measureTicks } from './measure_ticks.ts'
import { measureWaiting } from './measure_waiting.ts'
import { prepareTasks, type TasksStage } from './stage.ts'

/** The parts of the benchmark. */
export const parts = ['submitting', 'listing', 'waiting', 'ticks', 'batches'] as const

type Part = (typeof parts)[number]
type Sizes = { rounds: number; seconds: number; tasks: number; burst: number; ticks: number; finished: number }

/**
 * Measures agent tasks: submitting against a plain insert, a list against the same index scan without RLS, the waits of 100
 * users, a tick against an empty turn, and the functions that change many tasks at once.
 */
export async function benchmarkTasks(wanted: readonly Part[], sizes: Sizes): Promise<Report> {
  const { rounds, seconds, tasks, burst, ticks, finished } = sizes
  const connections = 20
  const environment = machine()
  const generator = startGenerator()
  const measures: Record<Part, (stage: TasksStage) => Promise<Section>> = {
    submitting: measureSubmitting,
    listing: (stage) => measureListing(stage, tasks),
    waiting: (stage) => measureWaiting(stage, burst),
    ticks: (stage) => measureTicks(stage, ticks),
    batches: (stage) => measureBatches(stage, finished),
  }
  try {
    return await withStage(async (stage) => {
      const bench = await prepareTasks(stage, { generator, rounds, seconds, connections })
      const sections: Section[] = []
      for (const part of parts) if (wanted.includes(part)) sections.push(await measures[part](bench))
      return {
        title: 'bench:tasks',
        ...join(sections),
        environment: {
          ...environment,
          load_after: loadavg()[0] ?? 0,
          connections,
          rounds,
          seconds_per_round: seconds,
          tasks,
          burst,
          ticks,
          finished,
          plans: 'without quotas of tasks',
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
