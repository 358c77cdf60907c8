import type { LoadResult } from './load.ts'
import { median } from './report.ts'

/** Returns the median of the ratios of each round. Both sides of a round run one after the other, so noise hits both. */
export function ratio(these: LoadResult[], those: LoadResult[], figure: 'perSecond' | 'p50' | 'p99'): number {
  return median(these.map((result, round) => result[figure] / (those[round]?.[figure] ?? Number.NaN)))
}
