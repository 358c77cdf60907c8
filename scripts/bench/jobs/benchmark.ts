import { join, machine, type Report, type Section } from '../report.ts'
import { withStage } from '../stage.ts'
import { prepareByHand } from './by_hand.ts'
import { compareFull } from './compare_full.ts'
import { compareIndependent } from './compare_independent.ts'
import { compareShapes, comparisons } from './compare_shapes.ts'
import { compareSizes } from './compare_sizes.ts'
import { measureOthers } from './measure_others.ts'
import { prepareJobs } from './stage.ts'

/** The names of the parts that `only` selects by a part of the name. */
export const parts = [...comparisons.map(({ name }) => name), 'independent', 'cost', 'owners', 'full']

/** Measures runs of no-op steps against a DAG written by hand on graphile-worker, in alternating rounds. */
export function benchmarkJobs(options: {
  rounds: number
  concurrency: number
  finished: number
  only: string | undefined
}): Promise<Report> {
  const { rounds, concurrency, finished, only } = options
  const isWanted = (name: string) => only === undefined || name.includes(only)
  return withStage(async (stage) => {
    const jobs = await prepareJobs(stage, { rounds, concurrency })
    await prepareByHand(jobs)
    const sections: Section[] = []
    for (const comparison of comparisons) {
      if (isWanted(comparison.name)) sections.push(await compareShapes(jobs, comparison))
    }
    if (isWanted('independent')) sections.push(await compareIndependent(jobs))
    if (isWanted('cost')) sections.push(await compareSizes(jobs))
    if (isWanted('owners')) sections.push(await measureOthers(jobs))
    if (isWanted('full') && finished > 0) sections.push(await compareFull(jobs, finished))
    return { title: 'Jobs', ...join(sections), environment: { ...machine(), concurrency, rounds } }
  })
}
