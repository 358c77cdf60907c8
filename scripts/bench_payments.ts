import { benchmarkPayments } from './bench/payments/benchmark.ts'
import { print } from './bench/report.ts'
import { readArguments } from './commands/read_arguments.ts'

const { options } = readArguments('bench:payments', {
  options: {
    rounds: { type: 'number', default: 5, min: 1, about: 'rounds of each subject' },
    orders: { type: 'number', default: 200, min: 10, about: 'orders that are paid in each part of a round' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'bench:payments -- --rounds 3',
})
const { json, ...sizes } = options
print(await benchmarkPayments(sizes), json)
