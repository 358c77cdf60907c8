import { readArguments } from './commands/read_arguments.ts'
import { proveCredits } from './credits/prove_credits.ts'

const { options } = readArguments('prove:credits', {
  options: {
    minutes: { type: 'number', default: 5, min: 0.05, about: 'how long the storm lasts' },
    sessions: { type: 'number', default: 12, about: 'how many sessions work at the same moment' },
    users: { type: 'number', default: 30, about: 'how many users there are at the beginning' },
    seed: { type: 'number', default: 1, min: 0, about: 'another seed makes another storm' },
  },
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'prove:credits -- --minutes 1 --seed 7',
})
try {
  await proveCredits(options)
  process.exit(0)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
