/** Calls that are repeated until they are stopped. */
export type Calls = {
  /** Makes the first call now. */
  start(): void
  /** Makes no more calls, and resolves when the running call has ended. */
  stop(): Promise<void>
}

/**
 * Makes one call after the other. `findPause` returns how long to wait after a call that took so long. A failure does not end
 * the calls: `onFailure` gets it, but not again while the next calls fail for the same reason.
 */
export function keepCalling(options: {
  call(): Promise<void>
  findPause(elapsedMs: number): number
  onFailure(error: Error): void
}): Calls {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let isStopped = false
  let lastReason: string | undefined

  async function callOnce(): Promise<void> {
    const startedAt = performance.now()
    try {
      await options.call()
      lastReason = undefined
    } catch (thrown) {
      const error = thrown as Error
      if (error.message !== lastReason) options.onFailure(error)
      lastReason = error.message
    }
    if (!isStopped) timer = setTimeout(next, Math.max(0, options.findPause(performance.now() - startedAt)))
  }

  function next(): void {
    running = callOnce()
  }

  return {
    start: next,
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await running
    },
  }
}
