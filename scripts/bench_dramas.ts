import { benchmarkDramas } from './bench/dramas/benchmark.ts'
import { print } from './bench/report.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options, refuse } = readArguments('bench:dramas', {
  options: {
    only: { type: 'string', value: 'part', about: 'one part: opening, with steps of other types, or generating' },
    dramas: { type: 'number', default: 200, min: 20, about: 'how many dramas are opened' },
    rounds: { type: 'number', default: 5, about: 'rounds of each subject' },
    seconds: { type: 'number', default: 2, min: 0.1, about: 'seconds of a round of opening' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:dramas -- --only opening',
})
if (![undefined, 'opening', 'generating'].includes(options.only)) refuse('--only must be opening or generating.')
print(await benchmarkDramas(options), options.json)
