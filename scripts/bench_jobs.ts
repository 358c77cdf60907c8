import { benchmarkJobs, parts } from './bench/jobs/benchmark.ts'
import { print } from './bench/report.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options, refuse } = readArguments('bench:jobs', {
  options: {
    only: {
      type: 'string',
      value: 'part',
      about: 'one part: part of a shape’s name (chain, 1,000, 5,000, diamonds), independent, cost, owners, full',
    },
    rounds: { type: 'number', default: 3, about: 'rounds of each subject' },
    finished: {
      type: 'number',
      default: 1_000_000,
      min: 0,
      about: 'finished jobs in the full database; 0 skips this part',
    },
    concurrency: { type: 'number', default: 10, about: 'steps that a process runs at a time' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:jobs -- --only chain',
})
const { only } = options
if (only !== undefined && !parts.some((name) => name.includes(only)))
  refuse(`--only must be a part of one of these names: ${parts.map((name) => `"${name}"`).join(', ')}.`)
print(await benchmarkJobs(options), options.json)
