import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { comparePairs, type Measured } from './bench/paired.ts'
import { type Bar, machine, print } from './bench/report.ts'

// Measures a benchmark before and after a change: a second folder has the commit before the change.

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
const target = 1.1

const { values: options, positionals } = parseArgs({
  options: {
    /** A folder with the commit before the change, and with its dependencies installed. */
    before: { type: 'string' },
    /** The benchmark: what follows "bench:" in package.json. */
    bench: { type: 'string' },
    pairs: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const { before, bench } = options
if (before === undefined || bench === undefined) {
  console.error(
    'Usage: npm run bench:compare -- --before <folder> --bench <name> [--pairs 15] [--json] [-- <options of the benchmark>]',
  )
  process.exit(2)
}

const pairs: { before: Measured[]; after: Measured[] }[] = []
for (let pair = 1; pair <= Number(options.pairs); pair++) {
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
