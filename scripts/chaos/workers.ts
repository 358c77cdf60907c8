import { join } from 'node:path'
import { freePort } from '../local/ports.ts'
import { type Child, startChild } from '../local/process.ts'
import { spacesEnv } from '../local/services.ts'
import type { FaultyDatabase } from '../testing/faulty_database.ts'

/** Worker processes that are harmed at random. */
export type Workers = {
  counts: { started: number; killed: number; paused: number; broken: number }
  start(): Promise<void>
  /** Breaks a connection, or kills, pauses or resumes a worker, or does nothing, at random. */
  harm(): Promise<void>
  /** Resumes every worker that is paused. */
  resumeAll(): void
  stop(): Promise<void>
}

export function createWorkers(home: string, faulty: FaultyDatabase, databaseUrl: string): Workers {
  const workers: Child[] = []
  const paused = new Set<Child>()
  const counts = { started: 0, killed: 0, paused: 0, broken: 0 }

  async function start(): Promise<void> {
    counts.started += 1
    const file = join(import.meta.dirname, '../testing/worker.ts')
    const worker = startChild(home, `worker-${counts.started}`, process.execPath, [file], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: faulty.through(databaseUrl),
        WORKER_HEALTH_PORT: String(await freePort()),
        ...spacesEnv(1),
        LOG_LEVEL: 'warn',
      },
    })
    workers.push(worker)
  }

  function resume(worker: Child): void {
    process.kill(worker.pid, 'SIGCONT')
    paused.delete(worker)
  }

  return {
    counts,
    start,
    async harm() {
      if (Math.random() < 0.3) {
        // Loses either the call, or the answer to a call that has committed.
        faulty.breakAt('worker.exchange_steps', Math.random() < 0.5 ? 'before' : 'after', 1)
        counts.broken += 1
      }
      const victim = workers[Math.floor(Math.random() * workers.length)]
      if (victim === undefined) return
      const dice = Math.random()
      if (dice < 0.25) {
        process.kill(victim.pid, 'SIGKILL')
        await victim.exited
        counts.killed += 1
        workers.splice(workers.indexOf(victim), 1)
        paused.delete(victim)
        await start()
      } else if (paused.has(victim)) resume(victim)
      else if (dice < 0.5) {
        process.kill(victim.pid, 'SIGSTOP')
        paused.add(victim)
        counts.paused += 1
      }
    },
    resumeAll() {
      for (const worker of [...paused]) resume(worker)
    },
    async stop() {
      for (const worker of paused) process.kill(worker.pid, 'SIGCONT')
      await Promise.all(workers.map((worker) => worker.stop('SIGKILL', 100)))
    },
  }
}
