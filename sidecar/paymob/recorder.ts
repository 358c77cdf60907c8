import { setTimeout as sleep } from 'node:timers/promises'
import type { Db } from '../../worker/shared/db.ts'

/** The answer of SQL about one callback. */
export type Recorded = { payment_id: string | null; status: string; reason: string | null }

/** The most callbacks in one call. */
const batchMax = 50

/** How long a call lets other callbacks wait for it. A call that waits for a locked order takes longer. */
const turnMs = 50

/** How long callbacks are gathered after a call with several of them, until there are as many again. */
const gatherMs = 5

type Waiting = { callback: object; resolve: (recorded: Recorded) => void; reject: (cause: unknown) => void }

/**
 * Returns a function that records a callback, and resolves after the commit. A callback that comes alone is recorded at once.
 * Callbacks that come while a call is running wait for it, and are then recorded together in one transaction, which costs a
 * fraction. SQL leaves a callback of a locked or an unknown order out, and a failed call has stored nothing: such callbacks are
 * recorded one by one.
 */
export function createRecorder(db: Db): (callback: object) => Promise<Recorded> {
  const waiting: Waiting[] = []
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchMax)
      const work = batch.length === 1 ? recordAlone(batch) : recordTogether(batch)
      await Promise.race([work, sleep(turnMs, undefined, { ref: false })])
      // Callbacks come together now, so the next ones are probably on their way.
      if (batch.length > 1) for (let ms = 0; ms < gatherMs && waiting.length < batch.length; ms++) await sleep(1)
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
