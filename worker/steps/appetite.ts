/** How many steps this process wants, and when it asks again. */
export type Appetite = {
  /** How many steps to claim by the next exchange, when this process already has `have`. */
  count(have: number): number
  /** A step ran for so long. */
  learn(durationMs: number): void
  /** Steps were claimed ahead that did not get their turn: claim fewer ahead. */
  shrink(): void
  /** More steps may be ready: ask at the next exchange. */
  grow(): void
  /** More steps may be ready: ask now. */
  wake(): void
  /** Steps came. */
  feed(): void
  /** Fewer steps came than were asked for: ask again when one is due (null: none is queued). */
  rest(wakeInMs: number | null): void
  /** Wants nothing from now on. */
  stop(): void
}

/** The steps that are claimed ahead should be done within this time, because other processes wait for them. */
const aheadMs = 100
const countMax = 500
const restMaxMs = 60_000

export function createAppetite(options: {
  /** How many steps run side by side. */
  concurrency: number
  /** Called when a rest is over, or cut short. */
  onWake(): void
}): Appetite {
  const { concurrency, onWake } = options
  let averageMs = aheadMs
  let isWanting = false
  let isStopped = false
  let emptyTurns = 0
  let timer: NodeJS.Timeout | undefined

  function wake(): void {
    if (isStopped) return
    clearTimeout(timer)
    isWanting = true
    onWake()
  }

  return {
    /** Claims short steps ahead, so that no slot waits for an exchange; long ones only as slots become free. */
    count(have) {
      if (!isWanting || isStopped) return 0
      const ahead = Math.round(concurrency * Math.min(aheadMs / Math.max(averageMs, 0.25), 20))
      return Math.max(0, Math.min(Math.max(concurrency, ahead), countMax) - have)
    },
    learn(durationMs) {
      averageMs += (durationMs - averageMs) / 20
    },
    shrink() {
      averageMs = Math.max(averageMs, aheadMs)
    },
    grow() {
      if (!isStopped) isWanting = true
    },
    wake,
    feed() {
      emptyTurns = 0
    },
    rest(wakeInMs) {
      isWanting = false
      // Asks once more where no step is queued: a step submitted while another pump was ending has no hint of its own.
      if (isStopped || (wakeInMs === null && emptyTurns > 0)) return
      clearTimeout(timer)
      // "Due now" means that another claim holds the step, or that a limit is reached: wait a little, and longer each time.
      const pauseMs = wakeInMs === null ? 20 : Math.min(5 * 2 ** emptyTurns, 500)
      emptyTurns += 1
      timer = setTimeout(wake, Math.min(Math.max(wakeInMs ?? 0, pauseMs), restMaxMs))
      timer.unref()
    },
    stop() {
      isStopped = true
      isWanting = false
      clearTimeout(timer)
    },
  }
}
