import { causeChaos } from './chaos/cause_chaos.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('chaos:jobs', {
  options: {
    runs: { type: 'number', default: 200, about: 'how many runs are submitted' },
    workers: { type: 'number', default: 3, about: 'how many worker processes run' },
    restarts: { type: 'number', default: 2, min: 0, about: 'how often Postgres is restarted' },
    outages: {
      type: 'number',
      default: 1,
      min: 0,
      about: 'how often workers lose the database for longer than the lease',
    },
    poisons: {
      type: 'number',
      default: 1,
      min: 0,
      about: 'per 100 runs, runs of each way to crash or block a process; one of each more at the end',
    },
    kills: { type: 'number', default: 15, min: 0, about: 'per cent of harms that are SIGKILL' },
    stops: { type: 'number', default: 15, min: 0, about: 'per cent of harms that are SIGTERM' },
    pauses: { type: 'number', default: 20, min: 0, about: 'per cent of harms that pause a process' },
    breaks: { type: 'number', default: 30, min: 0, about: 'per cent of harms that also break a connection' },
    skew: { type: 'number', default: 2, min: 0, about: 'hours by which the clocks of the processes differ' },
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
