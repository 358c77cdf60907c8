const tickMs = 500

/** How fast a client must send. */
export type Pace = { graceMs: number; bytesPerSecond: number }

/** 16 KB a second after the first ten seconds. */
export const slowestPace: Pace = { graceMs: 10_000, bytesPerSecond: 16_384 }

/**
 * Calls `onSlow` when a client is too slow. A client starts with `graceMs` of time, and each byte adds the time in which the
 * slowest client may send a byte. A client can save up to three times `graceMs`. So a fast client may pause, but cannot keep
 * its place for long without sending.
 *
 * The time is counted in ticks of this process, so a pause of the machine does not count against the client.
 */
export function watchPace(
  { graceMs, bytesPerSecond }: Pace,
  onSlow: () => void,
): { count(bytes: number): void; stop(): void } {
  let leftMs = graceMs
  const timer = setInterval(() => {
    leftMs -= tickMs
    if (leftMs >= 0) return
    clearInterval(timer)
    onSlow()
  }, tickMs)
  return {
    count: (bytes) => {
      leftMs = Math.min(leftMs + (bytes / bytesPerSecond) * 1000, Math.max(leftMs, 3 * graceMs))
    },
    stop: () => clearInterval(timer),
  }
}
