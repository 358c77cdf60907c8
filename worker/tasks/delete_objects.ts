import { inParallel } from '../shared/in_parallel.ts'
import type { Store } from '../shared/object_store.ts'

/** After so many failures the store is probably down, so the task stops. */
const failuresMax = 10

/** Deletes objects in parallel. Gives up after some failures, or when the signal aborts. */
export async function deleteObjects(
  store: Store,
  keys: string[],
  signal: AbortSignal,
  atOnce = 10,
): Promise<{ deleted: Set<string>; failure: Error | undefined }> {
  const deleted = new Set<string>()
  const failures: Error[] = []
  await inParallel(keys, atOnce, undefined, async (key) => {
    if (signal.aborted || failures.length >= failuresMax) return
    try {
      await store.delete(key, signal)
      deleted.add(key)
    } catch (error) {
      failures.push(error as Error)
    }
  })
  return { deleted, failure: failures[0] }
}
