import type { ClaimsTable } from './claims_table.ts'

/** The ticks of the main thread, and the end of its last stall. */
export type Ticks = {
  start(): void
  stop(): void
  /**
   * The end of the last stall of this process (by a handler that blocked it, or by a pause of the process or the machine), by
   * `performance.now()`; -Infinity if there was none. Known from the first moment after a stall on.
   */
  readonly stalledAt: number
}

const tickMs = 500
/** How late a tick may be. After a longer stall, other workers may have the claims of this process. */
const lateMs = 2000

/** Ticks in the table of claims, where the thread of the heartbeat looks, and calls `onTick`. */
export function createTicks(table: Pick<ClaimsTable, 'tick'>, onTick: () => void): Ticks {
  let timer: NodeJS.Timeout | undefined
  let seen = readClocks()
  let stalledAt = Number.NEGATIVE_INFINITY

  function look(): void {
    const now = readClocks()
    // The monotonic clock does not advance while a virtual machine is suspended.
    const elapsedMs = Math.max(now.monotonic - seen.monotonic, now.date - seen.date)
    if (timer === undefined || elapsedMs <= tickMs + lateMs) return
    stalledAt = now.monotonic
    seen = now
  }

  function tick(): void {
    look()
    seen = readClocks()
    table.tick()
    onTick()
  }

  return {
    start() {
      seen = readClocks()
      timer = setInterval(tick, tickMs)
      timer.unref()
      table.tick()
    },
    stop: () => clearInterval(timer),
    get stalledAt() {
      look()
      return stalledAt
    },
  }
}

function readClocks(): { monotonic: number; date: number } {
  return { monotonic: performance.now(), date: Date.now() }
}
