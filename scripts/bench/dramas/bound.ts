/** A job of a run, as the database returns it. */
export type Job = {
  id: number
  parent_id: number | null
  type: string
  depends_on: number[] | null
  status: string
  ms: string
}
/** The types whose steps call no provider. */
const callless = new Set(['generate_drama', 'draw_episode'])

export const isVideo = ({ type }: { type: string }) => type === 'generate_video'

/**
 * Returns for each call the earliest moment that it can start, in calls: a child follows its parent's own work, a dependent
 * everything below the steps that it waits for.
 */
export function listStarts(jobs: Job[]): number[] {
  const worked = new Map<number, number>()
  const settled = new Map<number, number>()
  const byId = new Map(jobs.map((job) => [job.id, job]))
  const starts: number[] = []
  const work = (job: Job): number => {
    const known = worked.get(job.id)
    if (known !== undefined) return known
    const parent = byId.get(job.parent_id ?? -1)
    const before = (job.depends_on ?? []).flatMap((id) => byId.get(id) ?? []).map(settle)
    const start = Math.max(parent === undefined ? 0 : work(parent), ...before)
    const cost = callless.has(job.type) ? 0 : isVideo(job) ? 3 : 1
    for (let call = 0; call < cost; call++) starts.push(start + call)
    worked.set(job.id, start + cost)
    return start + cost
  }
  const settle = (job: Job): number => {
    const known = settled.get(job.id)
    if (known !== undefined) return known
    const below = jobs.filter(({ parent_id }) => parent_id === job.id).map(settle)
    const value = Math.max(work(job), ...below)
    settled.set(job.id, value)
    return value
  }
  for (const job of jobs) settle(job)
  return starts
}

/**
 * Returns the least time, in calls: the calls that cannot start before k calls have passed take as long as the slots need for
 * all of them. With k = 0 that is all calls by the slots; with the last k, the longest chain. A second poll of a video, and each
 * later one, counts as a late call.
 */
export function countLeast(starts: number[], calls: number, concurrency: number): number {
  const extra = calls - starts.length
  return Math.max(
    ...[...new Set(starts)].map((k) => {
      const later = starts.filter((start) => start >= k).length + extra
      return k + Math.max(1, later / concurrency)
    }),
  )
}
