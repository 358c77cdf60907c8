/**
 * Calls `work` for each item, up to `limit` calls at a time. When a call fails or `signal` aborts, starts no further call
 * and aborts the signal of the running ones. Waits for all running calls, then throws the first failure.
 *
 * Not p-map, because that rejects while calls still run.
 */
export async function inParallel<Item>(
  items: readonly Item[],
  limit: number,
  signal: AbortSignal | undefined,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController()
  const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal
  // All loops share one iterator, so each item is worked on once.
  const rest = items.values()
  const loop = async () => {
    for (const item of rest) {
      if (either.aborted) return
      await work(item, either)
    }
  }
  const loops = Array.from({ length: Math.min(limit, items.length) }, () =>
    loop().catch((error) => failure.abort(error)),
  )
  await Promise.all(loops)
  either.throwIfAborted()
}
