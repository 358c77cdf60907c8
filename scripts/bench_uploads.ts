import { print } from './bench/report.ts'
import { benchmarkUploads } from './bench/uploads/benchmark.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('bench:uploads', {
  options: {
    count: { type: 'number', default: 100, about: 'how many uploads' },
    megabytes: { type: 'number', default: 20, about: 'the size of each upload' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:uploads -- --count 50',
})
print(await benchmarkUploads(options), options.json)
