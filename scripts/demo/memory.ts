import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The memory of a stack: processes, and the sum of their proportional sets (PSS), which counts shared pages once. */
export type Memory = { processes: number; megabytes: number }

/** Measures the processes that a stack noted in its home, and their descendants, such as the processes of Postgres. */
export function measureMemory(home: string): Memory {
  const folder = join(home, 'run')
  const noted = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')).pid as number)
  const parents = listParents()
  const pids = new Set(noted)
  for (let size = 0; size < pids.size; ) {
    size = pids.size
    for (const [pid, parent] of parents) if (pids.has(parent)) pids.add(pid)
  }
  const sets = [...pids].map(readPss).filter((kilobytes) => kilobytes !== undefined)
  return { processes: sets.length, megabytes: Math.round(sets.reduce((sum, set) => sum + set, 0) / 1024) }
}

/** Returns the parent of each process. */
function listParents(): Map<number, number> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return new Map(pids.map((pid) => [Number(pid), readNumber(`/proc/${pid}/status`, /^PPid:\s+(\d+)$/m) ?? 0]))
}

function readPss(pid: number): number | undefined {
  return readNumber(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB$/m)
}

/** Returns a number of a file of /proc; undefined if the process has ended or belongs to another user. */
function readNumber(path: string, pattern: RegExp): number | undefined {
  try {
    const found = pattern.exec(readFileSync(path, 'utf8'))?.[1]
    return found === undefined ? undefined : Number(found)
  } catch {
    return undefined
  }
}
