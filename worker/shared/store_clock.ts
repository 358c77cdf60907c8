import { TimeoutError } from './within.ts'

/** Bytes that move buy time: one second for each so many. */
const bytesPerMs = 256 * 1.024

/** Measures one call of the store: all its attempts, and the pauses between them. */
export type StoreClock = {
  /** Aborts when the time is over, or when the caller's signal aborts. */
  signal: AbortSignal
  leftMs(): number
  /** Says how many bytes of the object an attempt has moved. Only bytes beyond those of all earlier attempts are progress. */
  move(bytes: number): void
  stop(): void
}

/**
 * Starts a clock that ends `ms` after the last progress. Progress extends the time at most by a second for each 256 KiB,
 * so that a store that moves its bytes in drops cannot prolong the call without end.
 */
export function startStoreClock(ms: number, signal: AbortSignal | undefined): StoreClock {
  const controller = new AbortController()
  const startedAt = performance.now()
  let movedAt = startedAt
  let moved = 0
  const leftMs = () => ms + Math.min(movedAt, startedAt + moved / bytesPerMs) - performance.now()
  const look = () => {
    const left = leftMs()
    if (left > 0) timer = setTimeout(look, left)
    else controller.abort(new TimeoutError(`no answer within ${ms / 1000} s`))
  }
  let timer = setTimeout(look, ms)
  const onAbort = () => controller.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    leftMs,
    move(bytes) {
      if (bytes <= moved) return
      moved = bytes
      movedAt = performance.now()
    },
    stop() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}
