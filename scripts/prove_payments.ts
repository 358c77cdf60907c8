import { readArguments } from './commands/read_arguments.ts'
import { provePayments } from './paymob/storm.ts'

const { options } = readArguments('prove:payments', {
  options: {
    orders: { type: 'number', default: 500, min: 8, about: 'how many orders' },
    callbacks: { type: 'number', default: 10_000, min: 8, about: 'how many callbacks, repeated ones included' },
    connections: { type: 'number', default: 20, min: 1, about: 'how many connections send at the same moment' },
  },
  about:
    'Sends callbacks of Paymob in any order and several times, restarts the database in the middle, and compares the\n' +
    'ledger with that of a clean pass.',
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'prove:payments -- --orders 40 --callbacks 800',
})
try {
  await provePayments(options, (line) => console.log(line))
  process.exit(0)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
