import { atMost, median, type Section, say } from '../report.ts'
import { runOnPlinth, withPlinth } from './plinth.ts'
import { chain, flat } from './shapes.ts'
import type { JobsStage } from './stage.ts'

/** Measures whether a step costs more in a larger run. */
export async function compareSizes(stage: JobsStage): Promise<Section> {
  say('1,000 and 100,000 steps …')
  const small: number[] = []
  const large: number[] = []
  for (let round = 0; round < Math.min(stage.rounds, 2); round++) {
    await withPlinth(stage, async () => {
      await runOnPlinth(stage.admin, [chain(20)])
      small.push((await runOnPlinth(stage.admin, [flat(1000)])).ran)
      large.push(
        (
          await runOnPlinth(
            stage.admin,
            Array.from({ length: 10 }, () => flat(10_000)),
          )
        ).ran,
      )
    })
  }
  return {
    bars: [atMost('cost per step, 100,000 against 1,000', median(large) / 100 / median(small), 1.3)],
    figures: [],
  }
}
