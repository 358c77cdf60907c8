import { parentPort, workerData } from 'node:worker_threads'
import { createGate } from '../shared/connection_gate.ts'
import { createDb, openPool } from '../shared/db.ts'
import { createLogger } from '../shared/log.ts'
import { beatMs, createBeats } from './beats.ts'
import { createStallCount, endStalledProcess, returnWaiting } from './stall.ts'

// A thread of the worker process with connections of its own. The thread sends heartbeats also while a handler blocks the main
// thread, and ends the process when a stall lasts too long. See heartbeat.ts.

/** The facts that the main thread passes to this thread. */
export type ThreadData = {
  url: string
  logLevel: string
  stallSeconds: number
  workerId: string
  versions: Record<string, number>
  memory: SharedArrayBuffer
}

/** A message from this thread to the main thread. */
export type ThreadMessage = { unwanted: number[] } | { isReady: true }

/** After how many seconds of a stall waiting steps are returned. The main thread notices stalls of two seconds (ticks.ts). */
const returnAfterSeconds = 5

if (parentPort === null)
  throw new Error('heartbeat_thread.ts is a thread of worker/main.ts. Start worker/main.ts instead.')
const port = parentPort
const { url, logLevel, stallSeconds, workerId, versions, memory } = workerData as ThreadData
const logger = createLogger('worker', logLevel)
// After an outage, this worker must beat again before the lease is over, counted from the first heartbeat of another worker.
const gate = createGate({ logger, longestPauseMs: () => beats.leaseMs / 2 })
const open = (name: string) => {
  const pool = openPool({ url, name: `plinth-worker ${name}`, max: 1, gate, logger })
  return { pool, db: createDb(pool) }
}
const heartbeats = open('heartbeat')
const sweeps = open('sweep')
const tell = (message: ThreadMessage) => port.postMessage(message)
const beats = createBeats({
  db: heartbeats.db,
  sweepDb: sweeps.db,
  logger,
  workerId,
  versions,
  memory,
  onUnwanted: (unwanted) => tell({ unwanted }),
  onReady: () => tell({ isReady: true }),
})

const stalls = createStallCount(memory)
const watch = setInterval(() => {
  const seconds = (stalls.look() * beatMs) / 1000
  const stall = { logger, workerId, types: Object.keys(versions), memory, seconds }
  if (seconds >= stallSeconds) {
    clearInterval(watch)
    void beats.stop()
    // process.exit would end this thread only.
    const kill = () => process.kill(process.pid, 'SIGKILL')
    void endStalledProcess({ ...stall, db: open('stall').db, kill })
  } else if (seconds === returnAfterSeconds) {
    // During a stall, no sweep needs this connection.
    void returnWaiting({ ...stall, db: sweeps.db })
  }
}, beatMs)

port.once('message', async () => {
  clearInterval(watch)
  await beats.stop()
  await Promise.all([heartbeats, sweeps].map(({ pool }) => pool.end()))
  port.close()
})
beats.start()
