import { print } from './bench/report.ts'
import { benchmarkSharing } from './bench/sharing/benchmark.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('bench:sharing', {
  options: {
    shares: { type: 'number', default: 1000, min: 20, about: 'live shares in both databases' },
    rounds: { type: 'number', default: 5, about: 'rounds of each subject' },
    seconds: { type: 'number', default: 1.5, min: 0.1, about: 'seconds of a round' },
    expired: { type: 'number', default: 100_000, about: 'expired shares to delete' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:sharing -- --rounds 3',
})
print(await benchmarkSharing(options), options.json)
