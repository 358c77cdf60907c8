import { print } from './bench/report.ts'
import { benchmarkStudio, parts } from './bench/studio/benchmark.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options, refuse } = readArguments('bench:studio', {
  options: {
    only: { type: 'string', value: 'part', about: `one part: ${parts.join(', ')}` },
    rounds: { type: 'number', default: 5, about: 'rounds of each subject' },
    seconds: { type: 'number', default: 2, min: 0.1, about: 'seconds of a round of requests' },
    generations: { type: 'number', default: 100, min: 10, about: 'generations and no-op steps of a round' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:studio -- --only requests',
})
const { only, ...sizes } = options
const part = parts.find((name) => name === only)
if (only !== undefined && part === undefined) refuse(`--only must be one of: ${parts.join(', ')}.`)
print(await benchmarkStudio(part === undefined ? parts : [part], sizes), options.json)
