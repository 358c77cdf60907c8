import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { BeatOptions, Beats } from './beats.ts'
import type { ThreadData, ThreadMessage } from './heartbeat_thread.ts'

/** Makes the heartbeat of a pump. */
export type OpenHeartbeat = (options: BeatOptions) => Pick<Beats, 'start' | 'stop'>

/** How long the thread may take to end. */
const stopMaxMs = 1000

/**
 * Returns a function that makes heartbeats in a thread of their own, so that a handler that blocks the main thread does not
 * make this process look dead. The thread ends the process when the main thread has not ticked for `stallSeconds`.
 */
export function heartbeatInThread(options: {
  url: string
  logLevel: string
  stallSeconds: number
  /** Called when the thread ends by itself. Then the process must end, because it sends no heartbeats. */
  onDeath(error: Error): void
}): OpenHeartbeat {
  const { url, logLevel, stallSeconds, onDeath } = options
  return ({ workerId, versions, memory, onUnwanted, onReady }) => {
    let thread: Worker | undefined
    let exited: Promise<void> = Promise.resolve()
    let isOver = false

    function die(error: Error): void {
      if (isOver) return
      isOver = true
      onDeath(error)
    }

    return {
      start() {
        const data: ThreadData = { url, logLevel, stallSeconds, workerId, versions, memory }
        thread = new Worker(new URL('./heartbeat_thread.ts', import.meta.url), {
          name: 'heartbeat',
          workerData: data,
        })
        thread.unref()
        thread.on('message', (message: ThreadMessage) => {
          if ('unwanted' in message) onUnwanted(message.unwanted)
          else onReady()
        })
        thread.on('error', die)
        exited = new Promise((resolve) => {
          thread?.on('exit', (code) => {
            die(new Error(`The thread of the heartbeat ended with code ${code}.`))
            resolve()
          })
        })
      },
      async stop() {
        isOver = true
        thread?.ref()
        thread?.postMessage('stop')
        await Promise.race([exited, sleep(stopMaxMs, undefined, { ref: false })])
        await thread?.terminate()
      },
    }
  }
}
