import { median } from './report.ts'

/** A figure that a benchmark prints with `--json`. */
export type Measured = { name: string; value: number; unit: string }

/** How much longer a figure takes after a change: the median of the paired ratios, with its quartiles. */
export type PairedRatio = {
  name: string
  unit: string
  before: number
  after: number
  ratio: number
  lower: number
  upper: number
}

/**
 * Compares the figures of runs before and after a change, pair by pair. A ratio above 1 means slower, also for rates (units
 * that end in "/s"). Figures that only one side has, or that are neither times nor rates, are left out.
 */
export function comparePairs(pairs: { before: Measured[]; after: Measured[] }[]): PairedRatio[] {
  const names = new Set(pairs.flatMap(({ before }) => before.map(({ name }) => name)))
  return [...names].flatMap((name) => {
    const values = pairs.flatMap(({ before, after }) => {
      const [from, to] = [before, after].map((figures) => figures.find((figure) => figure.name === name))
      return from && to ? [{ before: from.value, after: to.value, unit: to.unit }] : []
    })
    const unit = values[0]?.unit ?? ''
    const isRate = unit.endsWith('/s')
    if (values.length === 0 || !(isRate || ['ms', 'µs', 's'].includes(unit))) return []
    const ratios = values.map(({ before, after }) => (isRate ? before / after : after / before)).sort((a, b) => a - b)
    const quantile = (share: number) => ratios[Math.round((ratios.length - 1) * share)] ?? Number.NaN
    return [
      {
        name,
        unit,
        before: median(values.map((one) => one.before)),
        after: median(values.map((one) => one.after)),
        ratio: quantile(0.5),
        lower: quantile(0.25),
        upper: quantile(0.75),
      },
    ]
  })
}
