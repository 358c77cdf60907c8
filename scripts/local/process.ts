import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import {
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A failure that a person can correct: the message is one sentence, printed without its stack. */
export class StartError extends Error {}

/** Describes a failed start to a person. An unexpected error keeps its stack. */
export function explain(error: unknown, home: string): string {
  const chain: Error[] = []
  for (let link = error; link instanceof Error && chain.length < 10; link = link.cause) chain.push(link)
  if (chain.some(({ message }) => diskFull.test(message))) return `The disk that holds ${home} is full.`
  const [first] = chain
  if (first instanceof StartError) return first.message
  // The error of a migration or module names file and line; its stack would add nothing.
  return chain.some((link) => 'severity' in link) ? (first?.message ?? '') : (first?.stack ?? String(error))
}

const diskFull = /No space left on device|ENOSPC/

/** The variables that each child process gets: Node finds programs and its cache of compiled files there. */
export function systemEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }
}

/** A child process of the local stack, with its log and its pid on disk. */
export type Child = {
  name: string
  pid: number
  log: string
  /** The bytes that the log had when the process started. */
  logStart?: number
  /** Resolves when the process has ended. */
  exited: Promise<string>
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>
}

/** Gets the output of a child in pieces, and writes what its log gets. */
export type LogFilter = { take(piece: string): void; end(): void }

/** Options of a child. */
export type ChildOptions = SpawnOptions & {
  /** Makes a filter, one for stdout and one for stderr. */
  filterLog?: ((write: (text: string) => void) => LogFilter) | undefined
}

/** Starts a program in its own process group, so that Ctrl-C reaches only us, and we stop the programs in order. */
export function startChild(home: string, name: string, command: string, args: string[], options: ChildOptions): Child {
  mkdirSync(join(home, 'logs'), { recursive: true })
  mkdirSync(join(home, 'run'), { recursive: true })
  const log = join(home, 'logs', `${name}.log`)
  const output = openSync(log, 'a', 0o600)
  const logStart = fstatSync(output).size
  const { filterLog, ...spawnOptions } = options
  const target = filterLog ? 'pipe' : output
  const child: ChildProcess = spawn(command, args, {
    ...spawnOptions,
    detached: true,
    stdio: ['ignore', target, target],
  })
  const write = (text: string) => {
    // A full disk must not end this process, and with it the others of the stack.
    try {
      writeSync(output, text)
    } catch {}
  }
  for (const stream of [child.stdout, child.stderr]) {
    const filter = filterLog?.(write)
    if (filter) stream?.setEncoding('utf8').on('data', filter.take).once('end', filter.end)
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    // With a filter, the log is complete only when the pipes are closed.
    child.once(filterLog ? 'close' : 'exit', (code: number | null, signal: string | null) =>
      resolve(signal ?? `exit code ${code}`),
    )
  })
  const pid = child.pid
  if (pid === undefined) throw new StartError(`${name} did not start: ${command} could not be run.`)
  const record = join(home, 'run', `${name}.json`)
  writeFileSync(record, JSON.stringify({ pid, startedAt: startTime(pid) }))
  void exited.then(() => rmSync(record, { force: true }))
  const stop = async (signal: NodeJS.Signals, graceMs: number) => {
    await stopPid(pid, signal, graceMs)
    // Here, too, because this process may end before it hears that its child has ended.
    rmSync(record, { force: true })
  }
  return { name, pid, log, logStart, exited, stop }
}

/** Asks a process to end. If it does not within `graceMs`, kills it and every other process of its group. */
export async function stopPid(pid: number, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  const until = Date.now() + graceMs
  kill(pid, signal)
  while (isRunning(pid) && Date.now() < until) await sleep(20)
  if (isRunning(pid)) {
    kill(-pid, 'SIGKILL')
    kill(pid, 'SIGKILL')
  }
  while (isRunning(pid)) await sleep(20)
}

/** Stops the processes that an earlier run left in this home, and returns their names. Start times guard against reused pids. */
export async function stopStale(home: string): Promise<string[]> {
  const stopped: string[] = []
  for (const file of listRecords(home)) {
    const record = readRecord(join(home, 'run', file))
    if (record && startTime(record.pid) === record.startedAt) {
      await stopPid(record.pid, file === 'postgres.json' ? 'SIGINT' : 'SIGTERM', 3000)
      stopped.push(`${file.replace('.json', '')} (pid ${record.pid})`)
    }
    rmSync(join(home, 'run', file), { force: true })
  }
  return stopped
}

/** Returns the error for a home in which nothing can be written. */
export function unusableHome(home: string, cause: unknown): StartError {
  const { message } = cause as Error
  return new StartError(`The home ${home} cannot be used: ${message}. Choose another PLINTH_HOME.`, { cause })
}

/** Claims the home for this process; fails if another live process holds it. */
export function claimHome(home: string): void {
  const path = join(home, 'run', 'stack.json')
  const claim = JSON.stringify({ pid: process.pid, startedAt: startTime(process.pid) })
  try {
    mkdirSync(join(home, 'run'), { recursive: true })
    if (!isClaimed(home)) rmSync(path, { force: true })
    writeFileSync(path, claim, { flag: 'wx' })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw unusableHome(home, cause)
    }
    const pid = readRecord(path)?.pid
    throw new StartError(`Plinth is already running in ${home} (pid ${pid}): stop it, or choose another PLINTH_HOME.`)
  }
}

/** Releases a home that {@link claimHome} claimed. */
export function releaseHome(home: string): void {
  rmSync(join(home, 'run', 'stack.json'), { force: true })
}

/** Whether a process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  return startTime(pid) !== undefined
}

/** Whether a live process holds this home. */
export function isClaimed(home: string): boolean {
  const record = readRecord(join(home, 'run', 'stack.json'))
  return record !== undefined && startTime(record.pid) === record.startedAt
}

/** Whether a part did not start because its port was taken. */
export function isPortTaken(error: unknown): boolean {
  for (let link = error; link instanceof Error; link = link.cause) {
    if (/EADDRINUSE|address (already )?in use/i.test(link.message)) return true
  }
  return false
}

/** Polls until `probe` succeeds at the port of a process. Fails when the process ends, and after `seconds`. */
export async function waitFor(
  child: Child,
  port: number,
  seconds: number,
  probe: () => Promise<boolean>,
): Promise<void> {
  let ended: string | undefined
  void child.exited.then((how) => {
    ended = how
  })
  const until = Date.now() + seconds * 1000
  // Another program that has the port may accept the probe and never answer, or may answer like this service.
  const isOurs = async () => (await probe()) && !isForeign(port, child.pid)
  const attempt = () =>
    Promise.race([isOurs().catch(() => false), child.exited.then(() => false), sleep(2000, false, { ref: false })])
  while (!(await attempt())) {
    if (ended !== undefined)
      throw new StartError(
        `${child.name} ended at its start (${ended}): ${lastLines(child, 3, ' | ')} (${child.log})`,
        {
          cause: new Error(readFileSync(child.log).subarray(child.logStart).toString()),
        },
      )
    if (Date.now() > until) throw new StartError(`${child.name} was not ready after ${seconds} s: see ${child.log}`)
    await sleep(20)
  }
}

/** Describes how a process has ended, with the end of its log: after a crash of Node, the error is some lines further up. */
export function describeEnd(child: Child, how: string): string {
  const lines = lastLines(child, 20, '\n  ')
  return `${child.name} has ended (${how}); its log: ${child.log}${lines && `\n  ${lines}\n`}`
}

/** Returns the last lines that a process wrote to its log. */
function lastLines({ log, logStart }: Child, count: number, separator: string): string {
  const text = readFileSync(log).subarray(logStart).toString().trimEnd()
  return text.split('\n').slice(-count).join(separator)
}

/** Whether another process listens on a port of the loopback. False if the kernel does not tell. */
function isForeign(port: number, pid: number): boolean {
  const sockets = ['tcp', 'tcp6'].flatMap((table) => listListeners(table, port))
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).map((file) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${file}`)
      } catch {
        // The file has been closed since.
        return ''
      }
    }),
  )
  return sockets.length > 0 && !sockets.some((inode) => own.has(`socket:[${inode}]`))
}

/** Returns the inodes of the sockets that listen on a port, from a table in /proc/net. */
function listListeners(table: string, port: number): string[] {
  let text = ''
  try {
    text = readFileSync(`/proc/net/${table}`, 'utf8')
  } catch {}
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return text.split('\n').flatMap((line) => {
    const [, address, , state, , , , , , inode] = line.trim().split(/\s+/)
    // 0A is the state of a listening socket. Without an inode, the kernel does not tell whose socket this is.
    return address?.endsWith(end) && state === '0A' && inode !== undefined && inode !== '0' ? [inode] : []
  })
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Returns the start time of a process in the kernel's ticks; undefined if it does not run or is a zombie. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function listRecords(home: string): string[] {
  try {
    const files = readdirSync(join(home, 'run')).filter((file) => file.endsWith('.json') && file !== 'stack.json')
    // Postgres last, because workers release their steps when they stop.
    return files.sort((a, b) => Number(a === 'postgres.json') - Number(b === 'postgres.json'))
  } catch {
    return []
  }
}

function readRecord(path: string): { pid: number; startedAt: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
