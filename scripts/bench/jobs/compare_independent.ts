import { atLeast, atMost, median, type Section, say } from '../report.ts'
import { runBare, settings, withRunner } from './by_hand.ts'
import { runOnPlinth, withPlinth } from './plinth.ts'
import { chain, flat } from './shapes.ts'
import type { JobsStage } from './stage.ts'

/** Measures steps without dependencies against plain jobs of graphile-worker. */
export async function compareIndependent(stage: JobsStage): Promise<Section> {
  say('10,000 independent steps …')
  const flats: number[] = []
  const submits: number[] = []
  const bares: { plain: number[]; local: number[] } = { plain: [], local: [] }
  for (let round = 0; round < stage.rounds; round++) {
    await withPlinth(stage, async () => {
      await runOnPlinth(stage.admin, [chain(20)])
      const { submit, ran } = await runOnPlinth(stage.admin, [flat(10_000)])
      flats.push(ran - submit)
      submits.push(submit)
    })
    for (const setting of settings) {
      await withRunner(stage, setting, async () => {
        await runBare(stage, 100)
        bares[setting].push(await runBare(stage, 10_000))
      })
    }
  }
  return {
    bars: [
      atLeast('10,000 steps: against bare graphile-worker', median(bares.plain) / median(flats), 4),
      atLeast('10,000 steps: against bare graphile-worker at its best', median(bares.local) / median(flats), 0.4),
      atMost('submit of 10,000 steps', median(submits), 500, 'ms'),
    ],
    figures: [
      { name: '10,000 steps: Plinth', value: 10_000_000 / median(flats), unit: '/s' },
      { name: '10,000 jobs: bare graphile-worker', value: 10_000_000 / median(bares.plain), unit: '/s' },
      { name: '10,000 jobs: bare, at its best', value: 10_000_000 / median(bares.local), unit: '/s' },
    ],
  }
}
