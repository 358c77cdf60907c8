import { benchmarkCredits, parts } from './bench/credits/benchmark.ts'
import { print } from './bench/report.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options, refuse } = readArguments('bench:credits', {
  options: {
    only: { type: 'string', value: 'part', about: `one part: ${parts.join(', ')}` },
    rounds: { type: 'number', default: 5, about: 'rounds of each subject' },
    calls: { type: 'number', default: 1000, min: 10, about: 'holds, captures and updates of a round' },
    entries: { type: 'number', default: 1_000_000, min: 10_000, about: 'entries that the nightly check reads' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:credits -- --only holds',
})
const { only, ...sizes } = options
const part = parts.find((name) => name === only)
if (only !== undefined && part === undefined) refuse(`--only must be one of: ${parts.join(', ')}.`)
print(await benchmarkCredits(part === undefined ? parts : [part], sizes), options.json)
