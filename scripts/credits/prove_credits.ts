import { withStage } from '../bench/stage.ts'
import { prepareDatabase } from '../testing/cluster.ts'
import { raiseStorm } from './storm.ts'

/** Raises a storm on a database of its own, and prints what happened. Throws at the first fault. */
export async function proveCredits({
  minutes,
  ...storm
}: {
  minutes: number
  sessions: number
  users: number
  seed: number
}): Promise<void> {
  await withStage(async (stage) => {
    await prepareDatabase(stage.cluster, 'credits')
    const weather = await raiseStorm(() => stage.connect('credits'), { ...storm, seconds: minutes * 60 })
    console.log('Everything adds up.')
    console.log(JSON.stringify(weather, null, 2))
  })
}
