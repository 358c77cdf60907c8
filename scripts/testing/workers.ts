import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../local/ports.ts'
import { type Child, isRunning, startChild, systemEnv } from '../local/process.ts'
import { spacesEnv } from '../local/services.ts'
import { supervise } from '../local/supervise.ts'

/** A worker process of a test. */
export type TestWorker = Child & {
  /** Returns the log of the process. */
  readLog(): string
  /** Returns the status of `GET /healthz`; 0 without an answer. */
  health(): Promise<number>
}

/** Real worker processes of a test file, with their logs in a temporary folder. */
export type TestWorkers = {
  /** Starts `scripts/testing/worker.ts`, or another program, on this database. No step may use the object store. */
  start(name: string, url: string, options?: { env?: NodeJS.ProcessEnv; program?: string[] }): Promise<TestWorker>
  /** Starts such a process again whenever it ends. */
  supervise(name: string, url: string, options?: { env?: NodeJS.ProcessEnv }): Child & { readLog(): string }
  /** Ends all processes. */
  stop(): Promise<void>
  /** Removes the logs. */
  remove(): void
}

export function createTestWorkers(): TestWorkers {
  const home = mkdtempSync(join(tmpdir(), 'plinth-workers-'))
  const workers: Child[] = []
  const testProgram = [join(import.meta.dirname, 'worker.ts')]
  const launch = (name: string, url: string, port: number, env: NodeJS.ProcessEnv, program = testProgram) =>
    startChild(home, name, process.execPath, program, {
      env: {
        ...systemEnv(),
        DATABASE_URL: url,
        WORKER_HEALTH_PORT: String(port),
        WORKER_DRAIN_SECONDS: '0',
        ...spacesEnv(1),
        ...env,
      },
    })
  return {
    async start(name, url, { env = {}, program } = {}) {
      const port = await freePort()
      const child = launch(name, url, port, env, program)
      workers.push(child)
      const health = () =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          ({ status }) => status,
          () => 0,
        )
      return { ...child, health, readLog: () => readFileSync(child.log, 'utf8') }
    },
    supervise(name, url, { env = {} } = {}) {
      const start = () => launch(name, url, 0, env)
      const worker = supervise(start(), start, { say() {}, firstPauseMs: 50, longestPauseMs: 200 })
      workers.push(worker)
      return Object.assign(worker, { readLog: () => readFileSync(worker.log, 'utf8') })
    },
    stop: async () => {
      // A stopped process would not see the signal.
      for (const { pid } of workers) if (isRunning(pid)) process.kill(pid, 'SIGCONT')
      await Promise.all(workers.splice(0).map((worker) => worker.stop('SIGTERM', 6000)))
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  }
}
