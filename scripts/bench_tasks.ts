import { print } from './bench/report.ts'
import { benchmarkTasks, parts } from './bench/tasks/benchmark.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options, refuse } = readArguments('bench:tasks', {
  options: {
    only: { type: 'string', value: 'part', about: `one part: ${parts.join(', ')}` },
    rounds: { type: 'number', default: 5, about: 'rounds of each subject' },
    seconds: { type: 'number', default: 2, min: 0.1, about: 'seconds of a round of requests' },
    tasks: {
      type: 'number',
      default: 1_000_000,
      min: 1000,
      about: 'tasks in the table of which one user’s are listed',
    },
    burst: { type: 'number', default: 10_000, min: 1000, about: 'one-tick tasks that 100 users submit' },
    ticks: { type: 'number', default: 200, min: 20, about: 'ticks of a long task' },
    finished: { type: 'number', default: 100_000, min: 2000, about: 'finished tasks to delete' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:tasks -- --only ticks',
})
const { only, ...sizes } = options
const part = parts.find((name) => name === only)
if (only !== undefined && part === undefined) refuse(`--only must be one of: ${parts.join(', ')}.`)
print(await benchmarkTasks(part === undefined ? parts : [part], sizes), options.json)
