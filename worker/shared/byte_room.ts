/** Room for a number of bytes in the memory of this process. */
export type ByteRoom = {
  /**
   * Calls `work` when there is room for so many bytes, in the order of the calls. A size beyond the whole room gets all of it.
   * Throws the signal's reason if the signal aborts while the call waits.
   */
  use<Result>(bytes: number, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>
}

export function createByteRoom(maxBytes: number): ByteRoom {
  let free = maxBytes
  const waiting: { bytes: number; enter: () => void }[] = []

  /** Lets in as many of the waiting calls as fit, and never a later one before an earlier one. */
  function admit(): void {
    for (let first = waiting[0]; first !== undefined && first.bytes <= free; first = waiting[0]) {
      waiting.shift()
      free -= first.bytes
      first.enter()
    }
  }

  return {
    async use(asked, signal, work) {
      signal.throwIfAborted()
      const bytes = Math.min(asked, maxBytes)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const call = { bytes, enter: resolve }
      const leave = () => {
        const place = waiting.indexOf(call)
        if (place === -1) return
        waiting.splice(place, 1)
        reject(signal.reason)
        admit()
      }
      signal.addEventListener('abort', leave, { once: true })
      waiting.push(call)
      admit()
      try {
        await promise
      } finally {
        signal.removeEventListener('abort', leave)
      }
      try {
        return await work()
      } finally {
        free += bytes
        admit()
      }
    },
  }
}
