import { benchmarkRealtime } from './bench/realtime/benchmark.ts'
import { print } from './bench/report.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('bench:realtime', {
  options: {
    subscribers: { type: 'number', default: 200, about: 'clients, each with a socket and a token of its own' },
    rate: { type: 'number', default: 500, about: 'changes a second for filtered subscribers' },
    rounds: { type: 'number', default: 5, about: 'rounds of each kind of load' },
    seconds: { type: 'number', default: 5, about: 'seconds of a round' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:realtime -- --rounds 3',
})
print(await benchmarkRealtime(options), options.json)
