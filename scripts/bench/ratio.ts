import type { LoadResult } from './load.ts'
import { median } from './report.ts'

/** The median of the rounds' ratios: rounds lie side by side in time, so a noisy minute touches both of a pair. */
export function ratio(these: LoadResult[], those: LoadResult[], figure: 'perSecond' | 'p99'): number {
  return median(these.map((result, round) => result[figure] / (those[round]?.[figure] ?? Number.NaN)))
}
