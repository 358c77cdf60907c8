import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect } from 'vitest'
import { readEnv } from '../local/home.ts'
import { isRunning } from '../local/process.ts'

// Local stacks as people start them. After each test, all processes of its stacks are ended.

export const root = resolve(import.meta.dirname, '../..')
const homes: string[] = []
const started: ChildProcess[] = []
const records = new Map<string, number[]>()

/** A running or ended command. */
export type Run = { child: ChildProcess; output(): string }
/** A stack that is ready, and its `env` file. */
export type RunningStack = Run & { env: Record<string, string> }

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended(child)
  }
  for (const home of homes.splice(0)) {
    for (const pid of pidsOf(home)) process.kill(pid, 'SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
})

/** Makes a folder that every user may enter. */
export function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'plinth-start-'))
  chmodSync(home, 0o755)
  homes.push(home)
  return home
}

/** Runs a script as npm does, in a home, and gathers what it prints. */
export function run(
  script: string,
  home: string,
  env: Record<string, string> = {},
  args: string[] = [],
  project = root,
): Run {
  const child = spawn(process.execPath, [join(project, script), ...args], {
    cwd: project,
    env: { ...process.env, PLINTH_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  child.stderr.on('data', (data) => {
    output += data
  })
  return { child, output: () => output }
}

/** Starts a stack, and resolves when it is ready. */
export async function start(home: string, script = 'scripts/start.ts', project = root): Promise<RunningStack> {
  const { child, output } = run(script, home, {}, [], project)
  for (let n = 0; n < 5000; n++) {
    if (child.exitCode !== null) throw new Error(`start ended: ${output()}`)
    if (output().includes('Plinth is ready')) return { child, output, env: readEnv(home) ?? {} }
    await sleep(50)
  }
  throw new Error(`start was not ready: ${output()}`)
}

/** Resolves with the exit code of a process. */
export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
  return child.exitCode
}

/** Stops a stack by a signal. */
export async function stop(stack: Run, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  stack.child.kill(signal)
  expect(await ended(stack.child)).toBe(0)
}

/** Lists the processes whose command line names this folder, and those that {@link remember} noted. */
export function pidsOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(home) || records.get(home)?.includes(pid)
        return isOurs && isRunning(pid)
      } catch {
        return false
      }
    })
}

/** Notes the pids of a stack's parts, which its own records forget when they end. */
export function remember(home: string): number[] {
  const folder = join(home, 'run')
  const pids = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')).pid as number)
  records.set(home, pids)
  return pids
}
