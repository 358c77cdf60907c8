import { cpus, loadavg, totalmem } from 'node:os'

/** What a benchmark promises, and what was measured. */
export type Bar = { name: string; value: number; unit: string; target: string; holds: boolean }

/** A raw figure that stands beside the bars. */
export type Figure = { name: string; value: number; unit: string }

export type Report = {
  title: string
  bars: Bar[]
  figures: Figure[]
  environment: Record<string, string | number | boolean>
}

export function atLeast(name: string, value: number, target: number, unit = '×'): Bar {
  return { name, value: rounded(value), unit, target: `>= ${target}`, holds: value >= target }
}

export function atMost(name: string, value: number, target: number, unit = '×'): Bar {
  return { name, value: rounded(value), unit, target: `<= ${target}`, holds: value <= target }
}

/** The middle one; of an even number of values, the lower of the middle two. */
export function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

/** The machine, for a report's environment. */
export function machine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    load_before: rounded(loadavg()[0] ?? 0),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
  }
}

/** Prints one JSON object for programs, or a table for people. */
export function print(report: Report, asJson: boolean): void {
  const { title, bars, figures, environment } = report
  if (asJson) {
    const raw = figures.map((figure) => ({ ...figure, value: rounded(figure.value) }))
    console.log(JSON.stringify({ bars, environment: { ...environment, figures: raw } }))
    return
  }
  console.log(`\n${title}\n`)
  table(bars.map((bar) => [bar.holds ? 'holds' : 'MISSED', `${bar.value} ${bar.unit}`, bar.target, bar.name]))
  console.log('\nRaw figures (medians)\n')
  table(figures.map((figure) => [`${rounded(figure.value)} ${figure.unit}`, figure.name]))
  console.log('\nEnvironment\n')
  table(Object.entries(environment).map(([name, value]) => [name, String(value)]))
}

function table(rows: string[][]): void {
  const widths = rows[0]?.map((_cell, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of rows)
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd())
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
