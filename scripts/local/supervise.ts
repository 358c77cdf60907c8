import { appendFileSync } from 'node:fs'
import type { Child } from './process.ts'

/** A child process that is started again whenever it ends. */
export type Supervised = Child & {
  /** Stops the process and starts it at once, or ends the pause before its next start. */
  restart(): Promise<void>
}

/** How long a process may take to end before it is killed: 2 s for the drain of a local worker, and the rest for the stop. */
const stopMaxMs = 3500

/** The message of the line in the log of a process that has ended. */
export const endMessage = 'Process has ended and is started again'

/**
 * Starts a process again when it ends: after a second, then after pauses that double up to 30 s. A process that has run for a
 * minute is healthy, and its next pause is a second again. Each end is a line in the log of the process, and a line for `say`.
 *
 * `exited` resolves after `stop`, and `pid` is the id of the latest process.
 */
export function supervise(
  first: Child,
  start: () => Child,
  options: { say(line: string): void; firstPauseMs?: number; longestPauseMs?: number; healthyMs?: number },
): Supervised {
  const { say, firstPauseMs = 1000, longestPauseMs = 30_000, healthyMs = 60_000 } = options
  let child = first
  let pauseMs = firstPauseMs
  let isRunning = true
  let isStopping = false
  let isRestarting = false
  let endPause = () => {}

  async function keepRunning(): Promise<string> {
    for (;;) {
      const startedAt = performance.now()
      const how = await child.exited
      isRunning = false
      if (performance.now() - startedAt > healthyMs) pauseMs = firstPauseMs
      await startAgain(how)
      if (isStopping) return how
    }
  }

  /** Starts the process until it starts. Returns without a process at a stop. */
  async function startAgain(how: string): Promise<void> {
    for (let reason = how; !isStopping; ) {
      if (!isRestarting) {
        report(reason)
        await pause()
        pauseMs = Math.min(2 * pauseMs, longestPauseMs)
      }
      if (isStopping) return
      if (isRestarting) pauseMs = firstPauseMs
      isRestarting = false
      try {
        child = start()
        isRunning = true
        return
      } catch (error) {
        // For example because the machine has no memory left: the next attempt may succeed.
        reason = (error as Error).message
      }
    }
  }

  function report(how: string): void {
    const facts = { how, start_in_ms: pauseMs, msg: endMessage }
    const line = { level: 'warn', time: new Date().toISOString(), service: child.name, ...facts }
    // A full disk must not end the supervisor, and with it the other processes.
    try {
      appendFileSync(child.log, `${JSON.stringify(line)}\n`)
    } catch {}
    say(`${child.name} has ended (${how}) and starts again in ${pauseMs / 1000} s; its log: ${child.log}`)
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs)
      endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  const exited = keepRunning()
  return {
    name: first.name,
    log: first.log,
    exited,
    get pid() {
      return child.pid
    },
    async restart() {
      isRestarting = true
      endPause()
      if (isRunning) await child.stop('SIGTERM', stopMaxMs)
    },
    async stop(signal, graceMs) {
      isStopping = true
      endPause()
      if (isRunning) await child.stop(signal, graceMs)
      await exited
    },
  }
}
