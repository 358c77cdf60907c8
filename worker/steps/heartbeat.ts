import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'

/**
 * Tells the database, once a second, that this process lives and which claims it has. Its parameters and results are plain
 * data, so the heartbeat does not depend on where the handlers run.
 */
export type Heartbeat = {
  /** Sends a beat now, and then once a second. */
  start(): void
  /** Sends no more beats. The answer of a running beat still counts. */
  stop(): void
}

/** A claim as a beat lists it; `waiting`: the step waits for a slot and has not begun. */
export type NamedClaim = { id: number; fence: number; progress: number; waiting?: true }

type Answer = { stop: { id: number; fence: number }[]; wake_in_ms: number | null }

export const beatMs = 1000

export function createHeartbeat(options: {
  db: Db
  logger: Logger
  workerId: string
  types: string[]
  /** The claims whose result the database does not have. The server requeues the step of each claim that a beat omits. */
  listClaims(): NamedClaim[]
  /**
   * Called for a claim whose result the database will refuse: the run was cancelled or is failing, or another worker has the
   * step.
   */
  onUnwanted(fence: number): void
  /** Called when at least one step is ready to be claimed. */
  onReady(): void
}): Heartbeat {
  const { db, logger, workerId, types } = options
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  async function beat(): Promise<void> {
    const rows = await db.call<{ heartbeat: Answer }>('worker.heartbeat', {
      worker_id: workerId,
      running: JSON.stringify(options.listClaims()),
      types,
    })
    const answer = rows[0]?.heartbeat
    for (const { fence } of answer?.stop ?? []) options.onUnwanted(fence)
    if (answer?.wake_in_ms === 0) options.onReady()
  }

  async function keepBeating(): Promise<void> {
    await beat().catch((error: Error) => logger.warn({ reason: error.message }, 'Heartbeat failed'))
    if (!isStopped) timer = setTimeout(keepBeating, beatMs)
  }

  return {
    start: () => void keepBeating(),
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
