/** Decides how many steps this process claims, and when it claims again. */
export type Appetite = {
  /** Returns how many steps the next exchange should claim, if this process already has `have` steps. */
  count(have: number): number
  /** Records how long a step ran. */
  learn(durationMs: number): void
  /** Records that steps were claimed ahead and did not get a slot, so the process claims fewer ahead. */
  shrink(): void
  /** Records that more steps may be ready: claim at the next exchange. */
  grow(): void
  /** Records that more steps may be ready: claim now. */
  wake(): void
  /** Records that an exchange returned steps. */
  feed(): void
  /** Records that an exchange returned fewer steps than it asked for: claim again when a step is due (null: none is queued). */
  rest(wakeInMs: number | null): void
  /** Claims nothing from now on. */
  stop(): void
}

/** The steps that are claimed ahead should be done within this time, because other processes wait for them. */
const aheadMs = 100
const countMax = 500
const restMaxMs = 60_000

export function createAppetite(options: {
  /** How many steps run at the same time. */
  concurrency: number
  /** Called when a rest is over or is ended early. */
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
    /** Claims short steps ahead, so that no slot waits for an exchange. Claims long steps only when slots become free. */
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
      // Claims once more if no step is queued, because a step that was submitted while another pump ended has no wake-up.
      if (isStopped || (wakeInMs === null && emptyTurns > 0)) return
      clearTimeout(timer)
      // "Due now" means that another claim has locked the step, or that a limit is reached. So wait a little, and longer each
      // time.
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
