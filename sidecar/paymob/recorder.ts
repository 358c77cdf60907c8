import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Db } from '../../worker/shared/db.ts'

/** The answer of SQL about one callback. */
export type Recorded = { payment_id: string | null; status: string; reason: string | null }

/** The most callbacks in one call. */
const batchMax = 50

/** How long other callbacks wait for the end of a call. A call that waits for a locked order may take longer. */
const turnMs = 50

type Waiting = { callback: object; resolve: (recorded: Recorded) => void; reject: (cause: unknown) => void }

/**
 * Returns a function that records a callback, and resolves after the commit. Callbacks that arrive at the same time, or during
 * a call, are recorded together in one transaction, which is much cheaper. SQL skips callbacks of locked or unknown orders. A failed
 * call stores nothing. The skipped callbacks, and those of a failed call, are then recorded one by one.
 */
export function createRecorder(db: Db): (callback: object) => Promise<Recorded> {
  const waiting: Waiting[] = []
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      // In one turn of the event loop, the server reads every request that has arrived.
      await nextTurn()
      await Promise.race([recordTogether(waiting.splice(0, batchMax)), sleep(turnMs, undefined, { ref: false })])
    }
    isRunning = false
  }

  async function recordTogether(batch: Waiting[]): Promise<void> {
    let answers: (Recorded | null)[] = []
    try {
      const callbacks = JSON.stringify(batch.map(({ callback }) => callback))
      const [row] = await db.call<{ record_paymob_callbacks: (Recorded | null)[] }>('sidecar.record_paymob_callbacks', {
        callbacks,
      })
      answers = row?.record_paymob_callbacks ?? []
    } catch {
      // Nothing was stored. Each callback alone shows which one fails, and why.
    }
    const left: Waiting[] = []
    for (const [n, one] of batch.entries()) {
      const recorded = answers[n]
      if (recorded) one.resolve(recorded)
      else left.push(one)
    }
    await recordAlone(left)
  }

  async function recordAlone(batch: Waiting[]): Promise<void> {
    await Promise.all(
      batch.map(async ({ callback, resolve, reject }) => {
        try {
          const args = { callback: JSON.stringify(callback) }
          const [row] = await db.call<{ record_paymob_callback: Recorded }>('sidecar.record_paymob_callback', args)
          if (!row) throw new Error('sidecar.record_paymob_callback returned no row')
          resolve(row.record_paymob_callback)
        } catch (cause) {
          reject(cause)
        }
      }),
    )
  }

  return (callback) =>
    new Promise((resolve, reject) => {
      waiting.push({ callback, resolve, reject })
      if (!isRunning) void run()
    })
}
