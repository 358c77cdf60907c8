import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { comparePairs, type Measured } from './bench/paired.ts'
import { type Bar, machine, print } from './bench/report.ts'
import { readArguments } from './commands/read_arguments.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
const target = 1.1

const { options, positionals, refuse } = readArguments('bench:compare', {
  options: {
    before: { type: 'string', value: 'folder', about: 'a checkout of the commit before the change, with npm packages' },
    bench: { type: 'string', value: 'name', about: 'the benchmark, such as jobs' },
    pairs: { type: 'number', default: 15, about: 'how many times both sides run' },
    json: { type: 'boolean', about: 'prints one JSON object' },
  },
  arguments: '[-- <options of the benchmark>]',
  example: 'bench:compare -- --before ../before --bench jobs -- --only chain',
})
const before = options.before ?? refuse('--before is missing: a folder with the commit before the change.')
const bench = options.bench ?? refuse('--bench is missing: the name of a benchmark, such as jobs.')

const pairs: { before: Measured[]; after: Measured[] }[] = []
for (let pair = 1; pair <= options.pairs; pair++) {
  console.error(`Pair ${pair} of ${options.pairs} …`)
  // In turns first and second, because the second run finds a warmer machine.
  if (pair % 2 === 1) {
    const first = await measure(before)
    pairs.push({ before: first, after: await measure(root) })
  } else {
    const first = await measure(root)
    pairs.push({ before: await measure(before), after: first })
  }
}

const ratios = comparePairs(pairs)
const bars: Bar[] = ratios.map(({ name, ratio, lower, upper }) => ({
  name: `${name} (quartiles ${lower.toFixed(2)} to ${upper.toFixed(2)})`,
  value: Number(ratio.toFixed(3)),
  unit: '×',
  target: `<= ${target}`,
  holds: ratio <= target,
}))
const figures = ratios.flatMap(({ name, unit, before: from, after: to }) => [
  { name: `${name}: before`, value: from, unit },
  { name: `${name}: after`, value: to, unit },
])
print(
  { title: `${bench}: after against before`, bars, figures, environment: { ...machine(), pairs: pairs.length } },
  options.json,
)

/** Runs the benchmark of a folder with that folder's own Node, and returns its figures. */
async function measure(folder: string): Promise<Measured[]> {
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const script = scripts[`bench:${bench}`]?.replace(/^node /, '')
  if (script === undefined) throw new Error(`${folder}/package.json has no script bench:${bench}.`)
  const { stdout } = await run(join(folder, 'node_modules/.bin/node'), [script, '--json', ...positionals], {
    cwd: folder,
    maxBuffer: 2 ** 24,
  })
  return JSON.parse(stdout).environment.figures
}
