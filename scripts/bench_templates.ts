import { print } from './bench/report.ts'
import { benchmarkTemplates } from './bench/templates/benchmark.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('bench:templates', {
  options: {
    rounds: { type: 'number', default: 9, about: 'rounds of each subject' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:templates -- --json',
})
print(await benchmarkTemplates(options), options.json)
