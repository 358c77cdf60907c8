/** How far an import is. */
export type Counts = { found: number; imported: number; already: number; refused: number }

/** Shows on stderr how far an import is: a bar on a terminal, elsewhere a line every five seconds. */
export function createProgress(counts: Counts): (isLast?: boolean) => void {
  const isTerminal = process.stderr.isTTY
  const startedAt = Date.now()
  let shownAt = 0
  return (isLast = false) => {
    const now = Date.now()
    if (!isLast && now - shownAt < (isTerminal ? 100 : 5000)) return
    shownAt = now
    const done = counts.imported + counts.already + counts.refused
    const share = counts.found === 0 ? 0 : done / counts.found
    const perSecond = Math.round(done / Math.max((now - startedAt) / 1000, 0.001))
    const numbers = `${done} of ${counts.found}, ${counts.refused} refused, ${perSecond}/s`
    if (isTerminal) {
      const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
      process.stderr.write(`\r${bar} ${Math.round(share * 100)}%  ${numbers}   `)
    } else {
      console.error(`${Math.round(share * 100)}%  ${numbers}`)
    }
  }
}
