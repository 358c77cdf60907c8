import { cpus, loadavg, totalmem } from 'node:os'

/** A promise, and the value that was measured. */
export type Bar = { name: string; value: number; unit: string; target: string; holds: boolean }

/** A raw figure. */
export type Figure = { name: string; value: number; unit: string }

/** A part of a benchmark. */
export type Section = { bars: Bar[]; figures: Figure[] }

export type Report = Section & {
  title: string
  environment: Record<string, string | number | boolean>
}

export function atLeast(name: string, value: number, target: number, unit = '×'): Bar {
  return { name, value: rounded(value), unit, target: `>= ${target}`, holds: value >= target }
}

export function atMost(name: string, value: number, target: number, unit = '×'): Bar {
  return { name, value: rounded(value), unit, target: `<= ${target}`, holds: value <= target }
}

/** Returns the median; the lower of the middle two for an even number of values. */
export function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

/** Prints the progress of a benchmark on stderr, with the seconds since its start. */
export function say(line: string): void {
  console.error(`${String(Math.round(performance.now() / 1000)).padStart(4)} s  ${line}`)
}

/** Joins the sections of a benchmark in their order. */
export function join(sections: Section[]): Section {
  return { bars: sections.flatMap(({ bars }) => bars), figures: sections.flatMap(({ figures }) => figures) }
}

/** Describes the machine, for the environment of a report. */
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
