import { atLeast, atMost, type Bar, type Figure, median, type Section, say } from '../report.ts'
import { runByHand, settings, withRunner } from './by_hand.ts'
import { runOnPlinth, submitAll, withPlinth } from './plinth.ts'
import { chain, diamond, fan, type Shape } from './shapes.ts'
import { type JobsStage, until } from './stage.ts'

/** The shapes that are compared with a DAG by hand, and how many times faster Plinth should be. */
export const comparisons: { name: string; shapes: Shape[]; target: number }[] = [
  { name: 'chain of 200', shapes: [chain(200)], target: 1.5 },
  { name: '1 → 1,000 → 1', shapes: [fan(1000)], target: 3 },
  { name: '1 → 5,000 → 1', shapes: [fan(5000)], target: 4 },
  { name: '500 diamonds', shapes: Array.from({ length: 500 }, () => diamond), target: 2.5 },
]

/** Measures Plinth and the DAG by hand in turns. The DAG by hand counts with the faster of its two settings. */
export async function compareShapes(
  stage: JobsStage,
  { name, shapes, target }: (typeof comparisons)[number],
): Promise<Section> {
  say(`${name} …`)
  const { admin } = stage
  const steps = shapes.reduce((sum, shape) => sum + shape.steps, 0)
  // Short runs are repeated, because a moment's load on the machine would decide otherwise.
  const turns = steps < 1000 ? 5 : 1
  const ours: number[] = []
  const submits: number[] = []
  const quiet: number[] = []
  const theirs: { plain: number[]; local: number[] } = { plain: [], local: [] }
  for (let round = 0; round < stage.rounds; round++) {
    if (shapes.length > 1) quiet.push((await submitAll(admin, shapes)) / shapes.length)
    await withPlinth(stage, async () => {
      await until(admin, 'select from app.runs where finished_at is null limit 1')
      await runOnPlinth(admin, [chain(20)])
      for (let turn = 0; turn < turns; turn++) {
        const { submit, ran } = await runOnPlinth(admin, shapes)
        ours.push(ran)
        submits.push(submit / shapes.length)
      }
    })
    for (const setting of settings) {
      await withRunner(stage, setting, async () => {
        await runByHand(stage, [chain(20)])
        for (let turn = 0; turn < turns; turn++) theirs[setting].push(await runByHand(stage, shapes))
      })
    }
  }
  const best = Math.min(median(theirs.plain), median(theirs.local))
  const bars: Bar[] = [atLeast(`${name}: against by hand`, best / median(ours), target)]
  if (shapes.length > 1) {
    bars.push(atMost(`${name}: submit, per run, while no worker runs`, median(quiet), 1, 'ms'))
    bars.push(atMost(`${name}: submit, per run, while workers are busy`, median(submits), 1, 'ms'))
  }
  const ms = (of: string, value: number): Figure => ({ name: `${name}: ${of}`, value, unit: 'ms' })
  return {
    bars,
    figures: [
      ms('Plinth', median(ours)),
      ms('by hand (best of its settings)', best),
      ms('submit, per run', median(submits)),
      ms('per step, Plinth', median(ours) / steps),
      ms('per step, by hand', best / steps),
    ],
  }
}
