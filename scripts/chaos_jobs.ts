import { causeChaos } from './chaos/cause_chaos.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('chaos:jobs', {
  options: {
    runs: { type: 'number', default: 200, about: 'how many runs are submitted' },
    workers: { type: 'number', default: 3, about: 'how many worker processes run' },
    restarts: { type: 'number', default: 2, min: 0, about: 'how often Postgres is restarted' },
    seconds: { type: 'number', default: 300, about: 'maximum duration' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'chaos:jobs -- --runs 20 --restarts 1',
})
try {
  await causeChaos(options)
  process.exit(0)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
