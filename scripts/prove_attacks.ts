import { quickAttacks, slowAttacks } from './attack/attacks.ts'
import { startTarget } from './attack/stack.ts'
import type { Verdict } from './attack/target.ts'
import { readArguments } from './commands/read_arguments.ts'

const all = { ...quickAttacks, ...slowAttacks }
const { options, refuse } = readArguments('prove:attacks', {
  options: {
    only: { type: 'string', value: 'names', about: 'runs these attacks, separated by commas' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  about:
    'The attacks run against a stack of their own on this machine. One attack measures times, so leave the machine idle.\n' +
    `Attacks: ${Object.keys(all).join(', ')}.`,
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'prove:attacks -- --only tokens,one-network',
})
const names = options.only?.split(',') ?? Object.keys(all)
const unknown = names.find((name) => !(name in all))
if (unknown !== undefined) refuse(`Unknown attack "${unknown}". Use some of: ${Object.keys(all).join(', ')}.`)

const verdicts: Verdict[] = []
const failures: string[] = []
const { target, stop } = await startTarget()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(1)))
try {
  for (const name of names) {
    const from = performance.now()
    try {
      verdicts.push(...[(await all[name]?.(target)) ?? []].flat())
    } catch (error) {
      // The other attacks still run.
      failures.push(`${name}: ${(error as Error).message}`)
    }
    console.error(`${name.padEnd(20)} ${((performance.now() - from) / 1000).toFixed(1)} s`)
  }
} finally {
  await stop()
}
if (options.json) console.log(JSON.stringify({ verdicts, failures }))
else for (const line of [...describe(verdicts), ...failures.map((one) => `FAILED  ${one}`)]) console.log(line)
process.exit(failures.length === 0 && verdicts.every(({ holds }) => holds) ? 0 : 1)

function describe(verdicts: Verdict[]): string[] {
  return verdicts.map(({ name, figure, unit, bound, holds, before }) =>
    [
      holds ? 'holds ' : 'FAILED',
      `${figure} ${unit}`.padEnd(16),
      `at most ${bound}`.padEnd(12),
      `before ${before.figure}`.padEnd(13),
      name,
    ].join('  '),
  )
}
