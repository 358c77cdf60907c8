/**
 * Writes a line of a kind at once and returns true. Otherwise returns false, and writes the line later or leaves it out.
 * `leftOut` counts the lines of this kind that were left out before this line.
 */
export type LineLimit = {
  (kind: string, write: (leftOut: number) => void): boolean
  /** Writes the lines that wait for the end of their second, before the process ends. */
  flush(): void
}

/**
 * Limits a log to one line a second and kind, so that a flood of refused requests does not fill it. The first line of a
 * kind is written at once. If others follow within the second, the last of them is written at its end.
 */
export function createLineLimit({ intervalMs = 1000, kindsMax = 100 } = {}): LineLimit {
  const held = new Map<string, { lines: number; write: (leftOut: number) => void }>()
  const wait = (kind: string) => setTimeout(() => writeLast(kind), intervalMs).unref()
  function writeLast(kind: string): void {
    const last = held.get(kind)
    if (!last?.lines) return void held.delete(kind)
    held.set(kind, { ...last, lines: 0 })
    wait(kind)
    last.write(last.lines - 1)
  }
  const limit = (kind: string, write: (leftOut: number) => void) => {
    // Kinds contain parts of requests, so their number has a limit, too.
    const name = held.has(kind) || held.size < kindsMax ? kind : 'other'
    const before = held.get(name)
    held.set(name, { lines: before ? before.lines + 1 : 0, write })
    if (before) return false
    wait(name)
    write(0)
    return true
  }
  const flush = () => {
    for (const [kind, last] of held) {
      if (last.lines > 0) last.write(last.lines - 1)
      held.set(kind, { ...last, lines: 0 })
    }
  }
  return Object.assign(limit, { flush })
}

/** Says how many lines of the same kind the log leaves out. */
export function countLeftOut(leftOut: number): { left_out?: number } {
  return leftOut > 0 ? { left_out: leftOut } : {}
}
