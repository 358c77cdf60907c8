import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../local/ports.ts'
import { type Child, startChild, systemEnv } from '../local/process.ts'
import { spacesEnv } from '../local/services.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../testing/faulty_database.ts'

/**
 * Something that happened to a worker process. `unclear`: an accident without a known culprit. `silent`: paused for so long
 * that its steps may be requeued. `unexplained`: it ended for an unknown reason.
 */
export type Fate =
  | 'killed'
  | 'silent'
  | 'stopped'
  | 'broken'
  | 'crashed'
  | 'unclear'
  | 'stalled'
  | 'out of memory'
  | 'unexplained'

/** The shares of {@link Workers.harm}, in per cent of its calls. */
export type Harms = { kills: number; stops: number; pauses: number; breaks: number }

/** The limits of the worker processes. */
export type Limits = { stallSeconds: number; drainSeconds: number; heapMb: number; silentMs: number; skewHours: number }

/** Supervised worker processes that are harmed at random. Each has a connection to Postgres of its own, to break. */
export type Workers = {
  /** Everything that happened to each process, by the name of the process. */
  fates: Map<string, Set<Fate>>
  count(fate: Fate): number
  /** Starts one more process, and starts another one whenever it ends. */
  start(): Promise<void>
  /** Breaks a connection, or kills, stops, pauses or resumes a worker, or does nothing, at random. */
  harm(shares: Harms): Promise<void>
  /** Cuts all workers off from Postgres for a time. */
  cutOff(ms: number): Promise<void>
  /** Resumes every worker that is paused. */
  resumeAll(): void
  /** Resumes all workers, and ends them with SIGTERM. */
  drain(): Promise<void>
  stop(): Promise<void>
  /** The steps whose naps began in a process, once for each time. */
  readBill(name: string): string[]
}

type Worker = { name: string; child: Child; faulty: FaultyDatabase; pausedAt: number | undefined }

export function createWorkers(home: string, port: number, databaseUrl: string, limits: Limits): Workers {
  const workers = new Set<Worker>()
  const ended: Worker[] = []
  const fates = new Map<string, Set<Fate>>()
  let isOver = false
  let started = 0

  const mark = ({ name }: Worker, fate: Fate) => void fates.get(name)?.add(fate)
  const billOf = (name: string) => join(home, `${name}.bill`)

  async function start(): Promise<void> {
    started += 1
    const name = `worker-${started}`
    const faulty = await startFaultyDatabase(port)
    const url = new URL(faulty.through(databaseUrl))
    url.searchParams.set('application_name', name)
    // The clock of every second process is hours ahead.
    const isShifted = started % 2 === 0 && limits.skewHours !== 0
    const clock = isShifted ? ['--import', join(import.meta.dirname, '../testing/shifted_clock.ts')] : []
    const program = [
      `--max-old-space-size=${limits.heapMb}`,
      ...clock,
      join(import.meta.dirname, 'worker.ts'),
      billOf(name),
    ]
    const child = startChild(home, name, process.execPath, program, {
      env: {
        ...systemEnv(),
        DATABASE_URL: url.href,
        WORKER_HEALTH_PORT: String(await freePort()),
        WORKER_STALL_SECONDS: String(limits.stallSeconds),
        WORKER_DRAIN_SECONDS: String(limits.drainSeconds),
        ...(isShifted && { PLINTH_TEST_CLOCK_SHIFT_MS: String(limits.skewHours * 3_600_000) }),
        ...spacesEnv(1),
        LOG_LEVEL: 'info',
      },
    })
    const worker: Worker = { name, child, faulty, pausedAt: undefined }
    fates.set(name, new Set())
    workers.add(worker)
    void child.exited.then(async (how) => {
      judgeExit(worker, how)
      workers.delete(worker)
      ended.push(worker)
      faulty.stop()
      // Like a supervisor, with a pause.
      await sleep(200)
      if (!isOver) await start()
    })
  }

  /** Marks the reason why a process ended by itself. */
  function judgeExit(worker: Worker, how: string): void {
    if (isOver || fates.get(worker.name)?.has('killed')) return
    const log = readFileSync(worker.child.log, 'utf8')
    const accident = log.split('\n').find((line) => line.includes('Process had an accident'))
    if (log.includes('event_loop_stalled')) mark(worker, 'stalled')
    else if (how === 'SIGABRT') mark(worker, 'out of memory')
    else if (accident !== undefined) mark(worker, accident.includes('"step":') ? 'crashed' : 'unclear')
    else if (!fates.get(worker.name)?.has('stopped')) {
      mark(worker, 'unexplained')
      console.error(`${worker.name} ended with ${how}: ${log.slice(-1000)}`)
    }
  }

  function pause(worker: Worker): void {
    process.kill(worker.child.pid, 'SIGSTOP')
    worker.pausedAt = performance.now()
  }

  function resume(worker: Worker): void {
    if (worker.pausedAt === undefined) return
    if (performance.now() - worker.pausedAt > limits.silentMs) mark(worker, 'silent')
    worker.pausedAt = undefined
    process.kill(worker.child.pid, 'SIGCONT')
  }

  function resumeAll(): void {
    for (const worker of workers) resume(worker)
  }

  return {
    fates,
    count: (fate) => [...fates.values()].filter((one) => one.has(fate)).length,
    start,
    async harm({ kills, stops, pauses, breaks }) {
      const all = [...workers]
      const victim = all[Math.floor(Math.random() * all.length)]
      if (victim === undefined) return
      if (Math.random() * 100 < breaks) {
        // Loses either the call, or the answer to a call that has committed.
        victim.faulty.breakAt('worker.exchange_work', Math.random() < 0.5 ? 'before' : 'after', 1)
        mark(victim, 'broken')
      }
      const dice = Math.random() * 100
      if (dice < kills) {
        mark(victim, 'killed')
        process.kill(victim.child.pid, 'SIGKILL')
      } else if (victim.pausedAt !== undefined) resume(victim)
      else if (dice < kills + stops) {
        mark(victim, 'stopped')
        process.kill(victim.child.pid, 'SIGTERM')
      } else if (dice < kills + stops + pauses) pause(victim)
    },
    async cutOff(ms) {
      const all = [...workers]
      for (const { faulty } of all) faulty.down()
      await sleep(ms)
      for (const { faulty } of all) faulty.heal()
    },
    resumeAll,
    async drain() {
      isOver = true
      resumeAll()
      await Promise.all([...workers].map(({ child }) => child.stop('SIGTERM', 30_000)))
    },
    async stop() {
      isOver = true
      resumeAll()
      await Promise.all([...workers].map(({ child }) => child.stop('SIGKILL', 100)))
      for (const { faulty } of [...workers, ...ended]) faulty.stop()
    },
    readBill(name) {
      try {
        const lines = readFileSync(billOf(name), 'utf8').split('\n')
        return lines.flatMap((line) => (line.startsWith('begin ') ? [line.slice('begin '.length)] : []))
      } catch {
        return []
      }
    },
  }
}
